import { expect } from 'vitest'
import type { ApiAnswer } from '../../support/api-client.js'
import type { System } from '../../support/system.js'
import { StrictStation } from '../strict-station.js'
import type { Bench, Identity } from './bench.js'
import type { Wish } from './wishes.js'

/** How the operator's steps of a case reach Busbar: as the CALL itself, or as a typed endpoint that builds it. */
export type Mode = 'raw' | 'typed'

/** A case that starts without a connected station. */
export interface Case {
  (lab: Lab): Promise<void>
  isCold?: true
}

export const cold = (play: (lab: Lab) => Promise<void>): Case => Object.assign(play, { isCold: true as const })

interface IdTagInfo {
  status: string
  parentIdTag?: string
  expiryDate?: string
}

interface Receipt {
  id: string
  status: string
  response: Record<string, unknown> | null
  error: unknown
  warnings?: string[]
}

interface ShownTransaction {
  id: string
  ocppId: string | null
  status: string
  energyWh: number | null
  stoppedReason: string | null
  token: string | null
  startedAt: string | null
  endedAt: string | null
  flags: string[]
}

type Approach = Identity & { subprotocols?: string[]; username?: string }

export interface Start {
  idTag?: string
  connectorId?: number
  at?: Date
  meterStart?: number
  reservationId?: number
}

export const meter = { start: 1_000, stop: 2_500 }

export const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000)

/** One run of one case: the strict station, what it says in the certification tool's words, and the operator. */
export class Lab {
  readonly bench: Bench
  readonly mode: Mode
  /** Every connection of the run, the newest last. */
  readonly stations: StrictStation[] = []
  operatorSteps = 0

  constructor(bench: Bench, mode: Mode) {
    this.bench = bench
    this.mode = mode
  }

  get system(): System {
    return this.bench.system
  }

  get station(): StrictStation {
    const station = this.stations.at(-1)
    if (!station) throw new Error('The case has not connected its station')
    return station
  }

  /** Opens the connection that is `station` from now on. */
  async connects(identity: Approach = this.bench.station): Promise<StrictStation> {
    const station = await StrictStation.connect({ protocol: 'ocpp1.6', ...identity })
    this.stations.push(station)
    return station
  }

  async reconnects(identity: Approach = this.bench.station): Promise<StrictStation> {
    await this.station.leaves()
    return this.connects(identity)
  }

  /** @returns the HTTP status that the upgrade was refused with; null where the TLS handshake failed */
  async isRefused(identity: Approach): Promise<number | null> {
    const outcome = await StrictStation.connect({ protocol: 'ocpp1.6', ...identity }).then(
      () => new Error('The station was let in'),
      (cause: Error) => cause,
    )
    if (!('status' in outcome)) throw outcome
    return outcome.status as number | null
  }

  // ---- What the station says

  async boots(status = 'Accepted', connectors = [0, 1, 2]): Promise<number> {
    const answer = await this.station.sends<{ status: string; interval: number; currentTime: string }>(
      'BootNotification',
      { chargePointVendor: 'Lab', chargePointModel: 'Strict' },
    )
    expect(answer.status).toBe(status)
    expect(answer.interval).toBeGreaterThan(0)
    mustBeNow(answer.currentTime)
    if (status === 'Accepted') for (const connector of connectors) await this.reports('Available', connector)
    return answer.interval
  }

  async beats(): Promise<void> {
    const { currentTime } = await this.station.sends<{ currentTime: string }>('Heartbeat', {})
    mustBeNow(currentTime)
  }

  /** A StatusNotification. */
  async reports(status: string, connectorId = 1, rest: object = {}): Promise<void> {
    const payload = { connectorId, status, errorCode: 'NoError', timestamp: new Date().toISOString(), ...rest }
    expect(await this.station.sends('StatusNotification', payload)).toEqual({})
  }

  async authorizes(idTag: string, status: string): Promise<IdTagInfo> {
    const { idTagInfo } = await this.station.sends<{ idTagInfo: IdTagInfo }>('Authorize', { idTag })
    expect(idTagInfo.status).toBe(status)
    return idTagInfo
  }

  /** A StartTransaction. @returns its transactionId */
  async starts(start: Start = {}, status = 'Accepted'): Promise<number> {
    const {
      at = new Date(),
      idTag = this.bench.tokens.valid,
      connectorId = 1,
      meterStart = meter.start,
      ...rest
    } = start
    const answer = await this.station.sends<{ idTagInfo: IdTagInfo; transactionId: number }>('StartTransaction', {
      ...{ connectorId, idTag, meterStart, timestamp: at.toISOString(), ...rest },
    })
    expect(answer.idTagInfo.status).toBe(status)
    expect(answer.transactionId).toBeGreaterThan(0)
    return answer.transactionId
  }

  /** A StopTransaction. @returns the idTagInfo, where there is one */
  async stops(transactionId: number, reason: string | null, rest: { at?: Date; [field: string]: unknown } = {}) {
    const { at = new Date(), ...others } = rest
    const { idTagInfo } = await this.station.sends<{ idTagInfo?: IdTagInfo }>('StopTransaction', {
      ...{ transactionId, meterStop: meter.stop, timestamp: at.toISOString() },
      ...(reason !== null && { reason }),
      ...others,
    })
    return idTagInfo
  }

  /** The tool's reusable state Charging. @returns the transactionId */
  async charges(start: Start = {}): Promise<number> {
    await this.authorizes(start.idTag ?? this.bench.tokens.valid, 'Accepted')
    await this.reports('Preparing', start.connectorId)
    const transactionId = await this.starts(start)
    await this.reports('Charging', start.connectorId)
    return transactionId
  }

  /** Any message that is answered with an empty payload. */
  async tells(action: string, payload: object): Promise<void> {
    expect(await this.station.sends(action, payload)).toEqual({})
  }

  // ---- What the operator does

  /**
   * An operator's step: the wish goes out over the API while the station awaits the CALL; the verdict is the operator's
   * to see.
   * @param meanwhile - before the station answers
   * @returns the payload that the station was sent, which is the wished one
   */
  async asks<Payload = Record<string, unknown>>(
    wish: Wish,
    answer: Record<string, unknown>,
    verdict = 'accepted',
    meanwhile: (payload: Payload) => Promise<void> = async () => {},
  ): Promise<Payload> {
    const sent = this.sends(wish)
    const call = await Promise.race([this.station.isCalled(wish.action), failed(sent)])
    const payload = call.payload as Payload
    await meanwhile(payload)
    this.station.answers(call, answer)
    expect(payload).toEqual(this.mode === 'raw' ? wish.payload : (wish.sent ?? wish.payload))
    const { status, response } = (await sent).body
    expect(status).toBe(verdict)
    expect(response).toBeTruthy()
    return payload
  }

  /** The wish alone, for what the case awaits itself. @returns the receipt with the verdict */
  async sends(wish: Wish, times: { wait?: number; expiresInSeconds?: number } = {}): Promise<ApiAnswer<Receipt>> {
    const { wait = 10, expiresInSeconds } = times
    this.operatorSteps++
    const path = this.path(this.mode === 'raw' ? 'commands' : wish.path)
    const body = this.mode === 'raw' ? { action: wish.action, payload: wish.payload, expiresInSeconds } : wish.body
    const expiry = this.mode === 'typed' && expiresInSeconds ? `&expiresInSeconds=${expiresInSeconds}` : ''
    const answer = await this.system.api.request<Receipt>('POST', `${path}?wait=${wait}${expiry}`, body)
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer
  }

  /** What Busbar must refuse to send, with a reason. Only a typed endpoint judges. @returns the problem */
  async mayNotAsk(wish: Pick<Wish, 'path' | 'body'>): Promise<{ detail?: string }> {
    const answer = await this.system.api.request<{ detail?: string }>('POST', this.path(wish.path), wish.body)
    expect(answer.status, JSON.stringify(answer.body)).toBe(422)
    return answer.body
  }

  // ---- What the API shows

  path(path: string, id: string = this.station.id): string {
    return `/stations/${encodeURIComponent(id)}${path ? `/${path}` : ''}`
  }

  /** Awaits that a GET behind the station shows this. */
  async shows(path: string, pattern: object, timeout = awaited.timeout): Promise<void> {
    await expect.poll(() => this.system.api.get(this.path(path)), { ...awaited, timeout }).toMatchObject(pattern)
  }

  /** Awaits that a list behind the station holds this. */
  async showsItem(path: string, pattern: object): Promise<void> {
    await expect
      .poll(() => this.items(path), awaited)
      .toEqual(expect.arrayContaining([expect.objectContaining(pattern)]))
  }

  async items<Item = Record<string, unknown>>(path: string): Promise<Item[]> {
    return (await this.system.api.get<{ items: Item[] }>(this.path(path))).items
  }

  /** Awaits the status of a connector. */
  async showsConnector(number: number, pattern: object): Promise<void> {
    const evse = { number, connectors: [expect.objectContaining(pattern)] }
    await this.shows('', { evses: expect.arrayContaining([expect.objectContaining(evse)]) })
  }

  /** Awaits a root certificate in Busbar's books of the station. @returns its row */
  async showsInstalled(pattern: object): Promise<{ id: string }> {
    const row = async () => (await this.#installed()).find((each) => isLike(each, pattern))
    await expect.poll(row, awaited).toBeDefined()
    return (await row()) as { id: string }
  }

  async showsNotInstalled(hashData: object): Promise<void> {
    const row = async () => (await this.#installed()).find((each) => isLike(each, hashData))
    await expect.poll(row, awaited).toBeUndefined()
  }

  /** Awaits the newest of the station's own certificates. */
  async showsOwnCertificate(pattern: object): Promise<void> {
    const newest = async () => (await this.system.api.get<{ own: object[] }>(this.path('certificates'))).own[0]
    await expect.poll(newest, awaited).toMatchObject(pattern)
  }

  async #installed(): Promise<{ id: string }[]> {
    return (await this.system.api.get<{ installed: { id: string }[] }>(this.path('certificates'))).installed
  }

  /** Awaits a transfer that heard, among others, these statuses in this order. */
  async showsTransfer(pattern: object, ...statuses: string[]): Promise<void> {
    const transfer = async () => {
      const found = (await this.items<{ history: { status: string }[] }>('transfers')).find((each) =>
        isLike(each, pattern),
      )
      return found?.history.map(({ status }) => status).filter((status) => statuses.includes(status))
    }
    await expect.poll(transfer, awaited).toEqual(statuses)
  }

  /** Awaits that the newest of a list, newest first, is this. */
  async showsNewest(path: string, pattern: object): Promise<void> {
    await expect.poll(async () => (await this.items(path))[0], awaited).toMatchObject(pattern)
  }

  /** Awaits what is known of a configuration key. */
  async showsKey(key: string, pattern: object): Promise<void> {
    await this.showsItem('configuration', { key, ...pattern })
  }

  /** Awaits that Busbar knows the station's local list to be this one. */
  async showsList(version: number, tokens: string[]): Promise<void> {
    const known = async () => {
      const { entries, ...rest } = await this.system.api.get<{ version: number; entries: { token: string }[] }>(
        this.path('local-list'),
      )
      return { version: rest.version, tokens: entries.map(({ token }) => token).sort() }
    }
    await expect.poll(known, awaited).toEqual({ version, tokens: [...tokens].sort() })
  }

  /** Awaits what became of a command. */
  async showsCommand(id: string, pattern: object): Promise<void> {
    await expect.poll(() => this.system.api.get(`/commands/${id}`), awaited).toMatchObject(pattern)
  }

  async countsCommands(): Promise<number> {
    const count = 'SELECT count(*)::int AS count FROM command WHERE station_id = $1'
    const { rows } = await this.system.database.query<{ count: number }>(count, [this.station.id])
    return rows[0]?.count ?? 0
  }

  /** Newest first. */
  async transactions(): Promise<ShownTransaction[]> {
    const path = `/transactions?station=${encodeURIComponent(this.station.id)}&limit=50`
    return (await this.system.api.get<{ items: ShownTransaction[] }>(path)).items
  }

  async countsTransactions(): Promise<number> {
    const count = 'SELECT count(*)::int AS count FROM charging_transaction WHERE station_id = $1'
    const { rows } = await this.system.database.query<{ count: number }>(count, [this.station.id])
    return rows[0]?.count ?? 0
  }

  /** Awaits what was asked of a connector's availability, beside what it reports. */
  async showsDesired(number: number, pattern: object): Promise<void> {
    await this.showsConnector(number, { desired: expect.objectContaining(pattern) })
  }

  /** The transaction that the API shows under an id that the station was told. */
  async transaction(ocppId: number): Promise<ShownTransaction> {
    const found = (await this.transactions()).filter((item) => item.ocppId === String(ocppId))
    expect(found).toHaveLength(1)
    return found[0] as ShownTransaction
  }

  async showsTransaction(ocppId: number, pattern: object): Promise<void> {
    await expect.poll(() => this.transaction(ocppId), awaited).toMatchObject(pattern)
  }
}

const awaited = { timeout: 5_000, interval: 25 }

const isLike = (row: object, pattern: object) =>
  Object.entries(pattern).every(([key, value]) => (row as Record<string, unknown>)[key] === value)

/** Only ever rejects: what goes wrong at the API ends the waiting at the station. */
function failed(sent: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => sent.catch(reject))
}

function mustBeNow(time: string): void {
  expect(time).toMatch(/Z$/)
  expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(5_000)
}
