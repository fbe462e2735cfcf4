import type { Rig } from './rig.js'

type Kind = 'gateways' | 'workers'

/** Fails Busbar's processes, and tells each act with its time, so that a schedule can be read off a run. */
export class Nemesis {
  readonly #rig: Rig
  readonly #row: string
  readonly #startedAt = performance.now()

  constructor(rig: Rig, row: string) {
    this.#rig = rig
    this.#row = row
  }

  /** One of them by chance. @returns its index */
  pick(kind: Kind): number {
    return this.#rig.random.integer(0, this.#rig.system[kind].length - 1)
  }

  /** SIGKILL. */
  async kill(kind: Kind, index: number): Promise<void> {
    this.tell(`SIGKILL ${kind} ${index}`)
    const process = this.#rig.system[kind][index]
    process?.signal('SIGKILL')
    await process?.exited
  }

  /** SIGTERM, and waits until it has gone. */
  async end(kind: Kind, index: number): Promise<void> {
    this.tell(`SIGTERM ${kind} ${index}`)
    await this.#rig.system[kind][index]?.stop()
  }

  freeze(kind: Kind, index: number): void {
    this.tell(`SIGSTOP ${kind} ${index}`)
    this.#rig.system[kind][index]?.signal('SIGSTOP')
  }

  thaw(kind: Kind, index: number): void {
    this.tell(`SIGCONT ${kind} ${index}`)
    this.#rig.system[kind][index]?.signal('SIGCONT')
  }

  /** A new one in the place of one that is gone; resolves once it is ready. */
  async start(kind: Kind, index: number): Promise<void> {
    const { system } = this.#rig
    await (kind === 'gateways' ? system.restartGateway(index) : system.restartWorker(index))
    this.tell(`ready again ${kind} ${index}`)
  }

  tell(act: string): void {
    console.log(`${this.#row} +${((performance.now() - this.#startedAt) / 1_000).toFixed(2)} s ${act}`)
  }
}
