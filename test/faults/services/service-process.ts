import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { endWithUs, until } from '../../support/processes.js'

export interface ServiceSpec {
  name: string
  command: string
  args: readonly string[]
  options?: SpawnOptions
  logFile: string
  /** Ends it as a crash would; SIGKILL, unless that would leave processes of its own behind. */
  killSignal?: NodeJS.Signals
  /** Takes requests. */
  answers: () => Promise<boolean>
}

/** Three brokers that start together on a machine with much to do take a minute and more. */
const startTimeoutMs = 180_000

/** A service in a process of ours, which may be killed, frozen and started again on what it has kept. */
export class ServiceProcess {
  readonly name: string
  readonly #spec: ServiceSpec
  #child: ChildProcess | null = null
  #gone: Promise<void> = Promise.resolve()

  constructor(spec: ServiceSpec) {
    this.name = spec.name
    this.#spec = spec
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  /** Resolves once it answers. @throws with the end of its log when it ends instead, or takes too long */
  async start(): Promise<void> {
    if (this.#child) return
    const { command, args, options, logFile, answers } = this.#spec
    const log = openSync(logFile, 'a')
    const child = spawn(command, args, { ...options, stdio: ['ignore', log, log] })
    this.#child = child
    endWithUs(child)
    this.#gone = new Promise((resolve) => {
      const done = () => {
        if (this.#child === child) this.#child = null
        resolve()
      }
      child.once('exit', done)
      child.once('error', done)
    })
    try {
      await until(
        `${this.name} answers`,
        () => {
          if (this.#child !== child) throw new Error(`${this.name} ended`)
          return answers()
        },
        startTimeoutMs,
      )
    } catch (cause) {
      throw new Error(`${String(cause)}:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`, { cause })
    }
  }

  /** Runs again, whatever was done to it. */
  resume(): Promise<void> {
    this.thaw()
    return this.start()
  }

  /** Without a word. */
  kill(): Promise<void> {
    return this.#end(this.#spec.killSignal ?? 'SIGKILL')
  }

  /** As its operator would. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  /** It neither works nor ends. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.thaw()
    this.#child?.kill(signal)
    await this.#gone
  }
}
