import { setTimeout as sleep } from 'node:timers/promises'
import { type RetryPolicy, VirtualStation, type VirtualStationOptions } from '@busbar/simulator'
import type { ApiAnswer } from '../support/api-client.js'
import { registerStations } from '../support/register-stations.js'
import { until } from '../support/system.js'
import type { Random } from './random.js'
import { inParallel, password, type Rig, token } from './rig.js'

/** How firmware throws transaction messages away, the strictest first. */
const firmwares: readonly RetryPolicy[] = [
  { attempts: 1, intervalMs: 500 },
  { attempts: 3, intervalMs: 500, countsCuts: true },
  { attempts: 5, intervalMs: 500 },
]

export interface FleetOptions extends Partial<VirtualStationOptions> {
  /** Over all stations. */
  commandsPerSecond?: number
}

/**
 * Stations that charge, are commanded meanwhile, and keep ledgers of it. Their firmware differs in how it throws
 * messages away, every fourth takes its time over a command, and half of them try the gateways in the other order.
 */
export class Fleet {
  readonly rig: Rig
  readonly prefix: string
  readonly stations: readonly VirtualStation[]
  /** Ids of the commands that the API has taken. */
  readonly commands: string[] = []
  /** Where the chain of the audit log was broken already. */
  readonly brokenAt: number | null
  readonly #commandsPerSecond: number
  readonly #random: Random
  #marks = 0

  constructor(
    rig: Rig,
    prefix: string,
    stations: readonly VirtualStation[],
    commandsPerSecond = 20,
    brokenAt: number | null = null,
  ) {
    this.brokenAt = brokenAt
    this.rig = rig
    this.prefix = prefix
    this.stations = stations
    this.#commandsPerSecond = commandsPerSecond
    this.#random = rig.random.fork()
  }

  static async open(
    rig: Rig,
    prefix: string,
    count: number,
    { commandsPerSecond, ...options }: FleetOptions = {},
  ): Promise<Fleet> {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(4, '0')}`)
    await registerStations(rig.system, ids, password, false)
    const { urls } = rig.system
    const stations = ids.map(
      (id, index) =>
        new VirtualStation({
          id,
          password,
          protocol: 'ocpp1.6',
          urls: index % 2 === 0 ? urls : urls.toReversed(),
          retry: firmwares[index % firmwares.length] as RetryPolicy,
          reconnectMs: 200,
          pingMs: 3_000,
          ...(index % 4 === 0 && { answerMs: 300 }),
          ...options,
        }),
    )
    await inParallel(stations, 50, (station) => station.start())
    const { broken } = await rig.verifyAudit()
    return new Fleet(rig, prefix, stations, commandsPerSecond, broken?.position)
  }

  /** All charge, each at its last connector, and are commanded until the work is done; then each ends its session. The row's time begins with it. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    const life = new AbortController()
    this.rig.begin()
    const charging = this.stations.map(async (station) => {
      while (!life.signal.aborted) {
        await sleep(this.#random.integer(0, 800))
        await station.charge({
          connector: station.connectors,
          token,
          powerW: 400_000,
          readings: 4,
          intervalMs: this.#random.integer(200, 600),
        })
      }
    })
    const commanding = this.#keepCommanding(life.signal)
    try {
      return await work()
    } finally {
      life.abort()
      await Promise.all([...charging, commanding])
    }
  }

  /** Resolves once each of the stations has had an answer that it asked for from now on: a decision, unless told otherwise. */
  async served(stations = this.stations, message = authorize, timeoutMs = 300_000): Promise<void> {
    const isServed = async (station: VirtualStation) =>
      station.isOnline && (await station.call(message).catch(() => null))?.kind === 'result'
    await Promise.all(stations.map((each) => until(`${each.id} is served`, () => isServed(each), timeoutMs)))
  }

  /** All are online and have said everything. */
  async settled(timeoutMs = 300_000): Promise<void> {
    const isSettled = ({ isOnline, queued }: VirtualStation) => isOnline && queued === 0
    await until('all stations online, their queues empty', () => this.stations.every(isSettled), timeoutMs)
  }

  async stop(): Promise<void> {
    await Promise.all(this.stations.map((station) => station.stop()))
  }

  /**
   * Each command carries a mark of its own, by which the stations' ledgers tell how often it was executed; a station
   * answers that it does not know the vendor.
   * @param wait seconds
   * @throws when the API hangs up: what became of the command stands in the books, if anything did
   */
  async command(id: string, wait = 0): Promise<ApiAnswer<{ id: string; status: string }>> {
    const payload = { vendorId: 'busbar.faults', data: `${this.prefix} ${this.#marks++}` }
    const wish = { action: 'DataTransfer', payload, expiresInSeconds: 10 }
    const answer = await this.rig.system.api.request<{ id: string; status: string }>(
      'POST',
      `/stations/${id}/commands?wait=${wait}`,
      wish,
    )
    if (answer.status < 300) this.commands.push(answer.body.id)
    return answer
  }

  async #keepCommanding(life: AbortSignal): Promise<void> {
    const open = new Set<Promise<unknown>>()
    while (!life.aborted && this.#commandsPerSecond > 0) {
      const sent = this.command(this.#random.pick(this.stations).id).catch(() => null)
      open.add(sent)
      void sent.then(() => open.delete(sent))
      await sleep(1_000 / this.#commandsPerSecond)
    }
    await Promise.all(open)
  }
}

const authorize = { action: 'Authorize', payload: { idTag: token } as Record<string, unknown> }

/** Of a command of the fleet's. */
export function markOf(payload: Record<string, unknown>): string {
  return String(payload.data)
}
