import type * as v16 from '../generated/v16.js'
import type { Payload } from '../protocol.js'

/** As it goes over the wire. @see OCPP 1.6 §7.8, §7.13 */
export type ChargingProfile16 = v16.SetChargingProfileRequest['csChargingProfiles']

/** A profile and the connector it is set at; 0 is the station. */
export interface PlacedProfile {
  connectorId: number
  profile: ChargingProfile16
}

/** What tells the profiles of a station apart; null for an id or a connector that is not chosen yet. */
export interface StackPlace {
  connectorId: number | null
  profile: Pick<ChargingProfile16, 'chargingProfilePurpose' | 'stackLevel'> & { chargingProfileId: number | null }
  /** Any name that is the same for one transaction; null where there is none. */
  transactionId: string | null
}

/** Out of a CALL that carries one and was checked against its schema. @param action SetChargingProfile or RemoteStartTransaction */
export function sentProfile16(action: string, payload: Payload): ChargingProfile16 {
  const profile = action === 'RemoteStartTransaction' ? payload.chargingProfile : payload.csChargingProfiles
  return profile as unknown as ChargingProfile16
}

/**
 * Whether a station that takes the second profile drops the first: the same id, or the same place in the stack. A stack
 * belongs to one purpose on one connector and, for TxProfile, to one transaction, whichever way it was set.
 * @see OCPP 1.6 §3.13.2, §5.16.2 to §5.16.4
 */
export function isReplacedBy(first: StackPlace, second: StackPlace): boolean {
  const [before, after] = [first.profile, second.profile]
  if (before.chargingProfileId === after.chargingProfileId) return true
  return (
    before.chargingProfilePurpose === after.chargingProfilePurpose &&
    before.stackLevel === after.stackLevel &&
    (after.chargingProfilePurpose === 'TxProfile'
      ? first.transactionId === second.transactionId
      : first.connectorId === second.connectorId)
  )
}

/**
 * Whether a ClearChargingProfile names this profile: by id alone, else by all of the other fields that are given.
 * @see OCPP 1.6 §5.5, §6.13 with errata 3.25 and 3.26
 */
export function isClearedBy(
  { connectorId, profile }: PlacedProfile,
  request: v16.ClearChargingProfileRequest,
): boolean {
  if (request.id !== undefined) return profile.chargingProfileId === request.id
  return (
    (request.connectorId === undefined || connectorId === request.connectorId) &&
    (request.stackLevel === undefined || profile.stackLevel === request.stackLevel) &&
    (request.chargingProfilePurpose === undefined || profile.chargingProfilePurpose === request.chargingProfilePurpose)
  )
}
