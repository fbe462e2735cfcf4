import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Schemas } from '@busbar/client'
import { type Answer, StationSocket, type StationSocketOptions } from '@busbar/simulator'
import type { Doors } from '../support/doors.js'
import type { Issuer } from '../support/issuer.js'
import { readLogEnds, untilDrained } from '../support/log-ends.js'
import { type System, until } from '../support/system.js'
import { Random } from './random.js'
import type { OwnServices } from './services/own-services.js'

export const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
export const token = 'TOKEN-1'
const proxy = '127.0.0.1'

/** Of the system: tests come as many addresses, through a proxy that it trusts, and all that can be logged is. */
export const rigEnvironment = { BUSBAR_TRUSTED_PROXIES: proxy, BUSBAR_LOG_LEVEL: 'debug' }

/** A running system, its TLS ports included. */
export interface TestBed {
  system: System
  doors: Doors
  /** Of the access tokens that the API takes. */
  issuer: Issuer
  /** What the system leans on; null where others lean on it too. */
  services: OwnServices | null
  stop(): Promise<void>
}

/** What a row works with. */
export class Rig {
  readonly system: System
  readonly doors: Doors
  readonly issuer: Issuer
  readonly random: Random
  readonly #services: OwnServices | null
  readonly #seconds: number
  #startedAt = Date.now()
  readonly #booted = new Set<string>()

  constructor({ system, doors, issuer, services }: Omit<TestBed, 'stop'>, seed: number, minutes: number) {
    this.system = system
    this.doors = doors
    this.issuer = issuer
    this.#services = services
    this.random = new Random(seed)
    this.#seconds = minutes * 60
  }

  /** For a row that needs services of its own. */
  get services(): OwnServices {
    if (!this.#services) throw new Error('These services are not ours to break')
    return this.#services
  }

  /** The row's time is up: it ends with what it did until now. */
  get isOver(): boolean {
    return this.#elapsedSeconds >= this.#seconds
  }

  /** For a row of two parts. */
  get isHalfTime(): boolean {
    return this.#elapsedSeconds >= this.#seconds / 2
  }

  get #elapsedSeconds(): number {
    return (Date.now() - this.#startedAt) / 1_000
  }

  /** The row's time begins now: what it took to come here does not count. */
  begin(): void {
    this.#startedAt = Date.now()
  }

  /** What each of so many may take at most, if all of them are to have their turn in the row's time: seconds. */
  share(seconds: number, among: number): number {
    return Math.min(seconds, Math.round(this.#seconds / among))
  }

  /** @param rest what else the operator says of each */
  async registerStations(prefix: string, count: number, rest = (_index: number): object => ({})): Promise<string[]> {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(4, '0')}`)
    for (const [index, id] of ids.entries()) await this.system.api.registerStation(id, password, rest(index))
    return ids
  }

  /** Connects, and boots the first time. */
  async connect(id: string, gateway = 0, rest: Partial<StationSocketOptions> = {}): Promise<StationSocket> {
    const socket = await this.open(id, gateway, rest)
    if (this.#booted.has(id)) return socket
    const boot = { chargePointVendor: 'Busbar', chargePointModel: 'Fault rig' }
    // Where a worker is late the gateway answers as it knows the station, and the worker settles it: not accepted yet.
    const isAccepted = async () => result(await socket.call('BootNotification', boot)).status === 'Accepted'
    await until(`${id} is accepted`, isAccepted)
    this.#booted.add(id)
    return socket
  }

  open(id: string, gateway = 0, rest: Partial<StationSocketOptions> = {}): Promise<StationSocket> {
    const { urls } = this.system
    const url = urls[gateway % urls.length] ?? ''
    return StationSocket.open({ url, id, password, protocols: ['ocpp1.6'], ...rest })
  }

  /** A raw command. @throws when the API refuses it */
  command(stationId: string, action: string, payload: object, { wait = 0 } = {}) {
    return this.system.api.expect<{ id: string; status: string; response: Record<string, unknown> | null }>(
      'POST',
      `/stations/${stationId}/commands?wait=${wait}`,
      { action, payload },
    )
  }

  async query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.system.database.query<Row>(text, values)).rows
  }

  drained(timeoutMs?: number): Promise<void> {
    return untilDrained(this.system, timeoutMs)
  }

  /** The services have applied all that the log holds at this moment; more may come meanwhile. What they lean on may be away. */
  async caughtUp(timeoutMs = 300_000): Promise<void> {
    const ends = await until('the log tells its ends', () => readLogEnds(this.system).catch(() => null), timeoutMs)
    const isCaughtUp = async () => {
      const places = await this.query<{ place: string; next: string }>(
        `SELECT topic || '/' || partition AS place, next::text FROM consumer_offset`,
      )
      return places.every(({ place, next }) => BigInt(next) >= (ends.get(place) ?? 0n))
    }
    await until('the services have caught up', () => isCaughtUp().catch(() => false), timeoutMs)
  }

  /** How the chain of the audit log stands. */
  verifyAudit(): Promise<Schemas['AuditVerification']> {
    return this.system.api.get('/audit/verify')
  }

  /** One text a process. */
  metrics(of: 'gateways' | 'workers'): Promise<string[]> {
    return Promise.all(this.system[of].map((process) => process.metrics()))
  }

  /** Of the processes that run. */
  get processIds(): number[] {
    const { gateways, workers, apiProcess } = this.system
    const running = [...gateways, ...workers, apiProcess].filter(({ child }) => child.exitCode === null)
    return [...new Set(running.flatMap(({ child }) => child.pid ?? []))]
  }

  /** Of the gateways, in bytes. */
  async memory(): Promise<number> {
    const texts = await Promise.all(
      this.system.gateways.map(({ child }) => readFile(`/proc/${child.pid}/status`, 'utf8')),
    )
    return texts.reduce((sum, text) => sum + Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024, 0)
  }

  /** The most that the gateways hold while the work goes on. */
  async peakMemory(work: Promise<unknown>): Promise<number> {
    let [peak, isDone] = [0, false]
    const ending = work.finally(() => {
      isDone = true
    })
    while (!isDone) {
      peak = Math.max(peak, await this.memory())
      await sleep(50)
    }
    await ending
    return peak
  }
}

/** The payload of a CALLRESULT. @throws when it is a CALLERROR */
export function result<Payload = Record<string, unknown>>(answer: Answer): Payload {
  if (answer.kind === 'error') throw new Error(`CALLERROR ${answer.code}: ${answer.description}`)
  return answer.payload as Payload
}

/** Does the work for all at once, at most so many at a time. */
export async function inParallel<Item>(
  items: Iterable<Item>,
  width: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

export class Latencies {
  readonly #milliseconds: number[] = []

  async measure<Result>(work: Promise<Result>): Promise<Result> {
    const startedAt = performance.now()
    const done = await work
    this.#milliseconds.push(performance.now() - startedAt)
    return done
  }

  add(milliseconds: number): void {
    this.#milliseconds.push(milliseconds)
  }

  get count(): number {
    return this.#milliseconds.length
  }

  /** @param share 0.99 for p99 */
  at(share: number): number {
    const sorted = this.#milliseconds.toSorted((left, right) => left - right)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  }
}

/** Stations that go about their day, to be measured while something else happens. */
export class Neighbours {
  readonly #sockets: StationSocket[]
  /** Answers that were none. */
  readonly troubles: string[] = []
  /** How often they have called. */
  calls = 0

  private constructor(sockets: StationSocket[]) {
    this.#sockets = sockets
  }

  static async open(rig: Rig, prefix: string, count: number): Promise<Neighbours> {
    const ids = await rig.registerStations(prefix, count)
    return new Neighbours(await Promise.all(ids.map((id, index) => rig.connect(id, index))))
  }

  /** Each asks for an authorization and brings a reading in turn, until the work is done. */
  async during(work: Promise<unknown>, everyMs = 100): Promise<Latencies> {
    const latencies = new Latencies()
    let isDone = false
    const ending = work.finally(() => {
      isDone = true
    })
    const days = this.#sockets.map(async (socket, index) => {
      for (let turn = index; !isDone; turn += 1) {
        const { action, payload } = turn % 2 === 0 ? authorize() : reading()
        this.calls += 1
        const answer = await latencies.measure(socket.call(action, payload).catch((cause: Error) => cause))
        if (answer instanceof Error || answer.kind === 'error') this.troubles.push(`${action}: ${String(answer)}`)
        await sleep(everyMs)
      }
    })
    await Promise.all([ending, ...days])
    return latencies
  }

  close(): void {
    for (const socket of this.#sockets) socket.close()
  }
}

const authorize = () => ({ action: 'Authorize', payload: { idTag: token } })
const reading = () => ({
  action: 'MeterValues',
  payload: {
    connectorId: 1,
    meterValue: [
      { timestamp: new Date().toISOString(), sampledValue: [{ value: '16.0', measurand: 'Current.Import' }] },
    ],
  },
})
