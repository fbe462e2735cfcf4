import { type BreakableNetwork, type Fate, startNetwork } from '@busbar/store'

/**
 * The network between the processes of a system and one service: a line of its own for each process, so that one may
 * lose the service while the others keep it.
 */
export class Link {
  readonly #lines = new Map<string, BreakableNetwork>()
  #portOf: (user: string) => number
  /** Decides on what a process sends. */
  judge: (user: string, sent: Buffer) => Fate = letPass

  /** @param portOf where the service listens for this process */
  constructor(portOf: (user: string) => number) {
    this.#portOf = portOf
  }

  /** Where this process finds the service. */
  async portFor(user: string): Promise<number> {
    let line = this.#lines.get(user)
    if (!line) {
      const judge = (sent: Buffer) => this.judge(user, sent)
      line = await startNetwork(() => ({ host: '127.0.0.1', port: this.#portOf(user) }), { judge })
      this.#lines.set(user, line)
    }
    return line.port
  }

  /** New connections go to another server, as behind an address that moves. */
  retarget(port: number): void {
    this.#portOf = () => port
  }

  /** Those of all users, or of those whose name begins so. */
  lines(prefix = ''): BreakableNetwork[] {
    return [...this.#lines].filter(([user]) => user.startsWith(prefix)).map(([, line]) => line)
  }

  cut(prefix?: string): void {
    for (const line of this.lines(prefix)) line.cut()
  }

  stall(prefix?: string): void {
    for (const line of this.lines(prefix)) line.stall()
  }

  mend(): void {
    this.judge = letPass
    for (const line of this.lines()) line.mend()
  }

  async close(): Promise<void> {
    await Promise.all(this.lines().map((line) => line.close()))
  }
}

const letPass = () => 'pass' as const
