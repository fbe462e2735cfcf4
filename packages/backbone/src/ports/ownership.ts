import type { CommandMessage } from './station-channels.js'

/** How long a gateway is believed to live after `renewLease`; it renews every 5 s. */
export const leaseMs = 15_000

export const provenForMs = 24 * 60 * 60 * 1000

export interface Dispatched {
  /** Listeners on the station's channel that were handed the command. 0: nobody holds the station. */
  receivers: number
  /** Null: the station is not registered, nothing was published. */
  epoch: number | null
  gatewayId: string | null
}

/** How long after its expiry a CALL is still known as handed out: a log that is read again brings it again. */
export const rememberedForMs = 60_000

/** A security profile that a station came in with, and when. */
export interface ProvenProfile {
  profile: number
  /** Milliseconds since 1970: there is one of these for each station that is connected. */
  at: number
}

/** A connection that is to own a station. */
export interface Newcomer {
  connectionId: string
  gatewayId: string
  protocol: string
  proven: ProvenProfile
  /** When the operator last chose the station's profile: what was proved until then binds no more. */
  profileSetAt: Date | null
}

export interface LapsedGateway {
  gatewayId: string
  stations: { stationId: string; connectionId: string; epoch: number }[]
}

/** Which connection owns a station: the newest, told apart by a rising epoch. */
export interface Ownership {
  /**
   * Makes this connection the owner. The epoch is max(stored + 1, time in microseconds), so it rises even when the
   * store was emptied; `takeover` goes out on the station's channel in the same step. What it proved binds the station
   * for `provenForMs`, at whatever gateway: until then Postgres knows it.
   * @returns `boundTo` when the station has proved a higher profile: nothing has happened then
   * @throws UnavailableError within 1 s
   */
  register(stationId: string, newcomer: Newcomer): Promise<{ epoch: number } | { boundTo: ProvenProfile }>
  /** Who owns it at this moment, before any service has heard of the connection. @throws UnavailableError within 1 s */
  find(stationId: string): Promise<{ connectionId: string; protocol: string } | null>
  /** Compare and delete: a late close never removes the newcomer. @returns whether it was still the owner */
  unregister(stationId: string, epoch: number): Promise<boolean>
  /**
   * Reads the epoch and publishes the command with it in one step, each CALL of a command to one connection at most:
   * whoever comes with it again has lost what it knew, as a Postgres that was restored.
   * @returns repeated: somebody was handed it before; expired: nobody was, and it is too late now; unsure: no word within
   *   1 s, it may be on its way
   * @throws UnavailableError when it was not sent
   */
  dispatch(
    stationId: string,
    command: Omit<CommandMessage, 'epoch'>,
  ): Promise<Dispatched | 'repeated' | 'expired' | 'unsure'>
  /**
   * Says "I live" for the next `leaseMs`.
   * @returns whether the lease was known. If not, it is the first, it lapsed, or the store lost what it held: then the
   *   gateway owns nothing and has to register its stations again
   */
  renewLease(gatewayId: string): Promise<boolean>
  /**
   * Gateways whose lease lapsed, with the stations they owned; these own nothing any more. Each is handed to one caller,
   * who ends it with `releaseGateway`; without that, it is handed out again after `leaseMs`.
   */
  takeLapsed(): Promise<LapsedGateway[]>
  /** The caller of `takeLapsed` is done with this gateway, or a gateway leaves by itself and has closed its stations. */
  releaseGateway(gatewayId: string): Promise<void>
}
