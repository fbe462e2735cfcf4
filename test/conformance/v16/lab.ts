import { expect } from 'vitest'
import type { ApiAnswer } from '../../support/api-client.js'
import type { System } from '../../support/system.js'
import { StrictStation } from '../strict-station.js'
import type { Bench, Identity } from './bench.js'
import { StationView } from './station-view.js'
import type { Wish } from './wishes/index.js'

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
export class Lab extends StationView {
  readonly bench: Bench
  readonly mode: Mode
  /** Every connection of the run, the newest last. */
  readonly stations: StrictStation[] = []
  operatorSteps = 0

  constructor(bench: Bench, mode: Mode) {
    super()
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
}

/** Only ever rejects: what goes wrong at the API ends the waiting at the station. */
function failed(sent: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => sent.catch(reject))
}

function mustBeNow(time: string): void {
  expect(time).toMatch(/Z$/)
  expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(5_000)
}
