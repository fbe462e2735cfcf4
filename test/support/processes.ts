import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const binary =
  // A build with a fault, where the conformance cases hunt for mutants.
  process.env.TEST_BUSBAR_BINARY ?? fileURLToPath(new URL('../../packages/busbar/dist/busbar.js', import.meta.url))

/** What still runs when the test process ends, as after a start that failed half-way, ends with it. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) for (const signal of ['SIGCONT', 'SIGTERM'] as const) child.kill(signal)
})

export function endWithUs(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

/** How a process is started where it is not as always. */
export interface Start {
  nodeArgs?: readonly string[]
  /** Another build, by another user's number. */
  as?: { binary: string; user: number }
}

/** One Busbar process of a test. */
export class BusbarProcess {
  readonly name: string
  readonly port: number
  /** Where its health and metrics are. */
  readonly healthPort: number
  /** null where it takes nobody over TLS. */
  readonly tlsPort: number | null
  readonly child: ChildProcess
  readonly exited: Promise<number | null>

  constructor(
    name: string,
    args: string[],
    env: Record<string, string>,
    port: number,
    logFile: string,
    { nodeArgs = [], as }: Start = {},
  ) {
    this.name = name
    this.port = port
    this.healthPort = Number(env.BUSBAR_HEALTH_PORT ?? env.BUSBAR_API_PORT)
    this.tlsPort = env.BUSBAR_GATEWAY_TLS_PORT === undefined ? null : Number(env.BUSBAR_GATEWAY_TLS_PORT)
    this.child = spawn(process.execPath, [...nodeArgs, as?.binary ?? binary, ...args], {
      ...(as && { uid: as.user, gid: as.user }),
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log = createWriteStream(logFile, { flags: 'a' })
    this.child.stdout?.pipe(log)
    this.child.stderr?.pipe(log)
    endWithUs(this.child)
    this.exited = new Promise((resolve) => this.child.once('exit', resolve))
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** In Prometheus text format. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.healthPort}/metrics`)).text()
  }

  /** SIGTERM, and SIGKILL for one that does not go within 20 s. */
  async stop(): Promise<void> {
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    const gone = await Promise.race([this.exited.then(() => true), sleep(20_000, false, { ref: false })])
    if (!gone) this.signal('SIGKILL')
    await this.exited
  }
}

const portsPerBlock = 100
const portBlocks = 220
let block: Promise<number> | undefined
let portsTaken = 0

/**
 * Below the ports that Linux gives to whoever connects somewhere, and of a block that no other process takes from: each
 * may be taken again before our process listens on it.
 */
export async function freePort(): Promise<number> {
  block ??= claimBlock()
  const first = await block
  for (;;) {
    const port = first + 1 + (portsTaken++ % (portsPerBlock - 1))
    const server = await listen(port)
    if (!server) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

/** @returns its first port, which is listened on for as long as we run: so the block is known as ours */
async function claimBlock(): Promise<number> {
  for (let index = process.pid; ; index += 1) {
    const first = 10_000 + (index % portBlocks) * portsPerBlock
    const server = await listen(first)
    if (!server) continue
    server.unref()
    return first
  }
}

/** @returns null when somebody else does */
function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

/** Waits until the check gives something. @throws with what was awaited, after the time */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    const found = await check()
    if (found) return found
    await sleep(50)
  }
  throw new Error(`Not within ${timeoutMs} ms: ${what}`)
}

export async function ready(process: BusbarProcess, port: number, logFile: string): Promise<void> {
  let exitCode: number | null | undefined
  void process.exited.then((code) => {
    exitCode = code
  })
  await until(
    `${process.name} ready (its log: ${logFile})`,
    async () => {
      if (exitCode !== undefined) throw new Error(`${process.name} exited with ${exitCode}; its log: ${logFile}`)
      const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
      return response?.ok
    },
    60_000,
  )
}
