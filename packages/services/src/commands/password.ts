import type { Payload } from '@busbar/ocpp'
import type { Vault } from '@busbar/store'
import { isObject, toObjects } from '../pipeline/objects.js'
import { type Command, payloadOf } from './command.js'
import type { CallOutcome } from './states.js'

/** A change of table station_secret. Both slots open the gateway's door while a change is open. */
export type SecretChange =
  | { kind: 'propose'; stationId: string; hash: string; carriedBy: string }
  | { kind: 'confirm'; stationId: string; hash: string }
  /** Unless another CALL carried the same one: the station may have taken it from that. */
  | { kind: 'discard'; stationId: string; hash: string; carriedBy: string }
  /** The pending one opened the door at `at`: the station has taken it. One proposed later is another one. */
  | { kind: 'used'; stationId: string; at: Date }

interface PasswordPlace {
  /** As it stands in the payload: sealed. */
  value: string
  /** Index in setVariableData; null for 1.6. */
  item: number | null
}

/**
 * The password of the station that a CALL changes, if it does.
 * @see OCPP 1.6 security white paper §7.2 AuthorizationKey; 2.0.1 part 2 A01, SecurityCtrlr.BasicAuthPassword
 */
function findPassword(command: Command, callIndex: number): PasswordPlace | null {
  const { protocol, action } = command
  const payload = payloadOf(command, callIndex)
  if (protocol === null) return null
  if (protocol === 'ocpp1.6') {
    const { key, value } = payload
    if (action !== 'ChangeConfiguration' || !sameName(key, 'AuthorizationKey')) return null
    return typeof value === 'string' ? { value, item: null } : null
  }
  if (action !== 'SetVariables') return null
  const items = toObjects(payload.setVariableData)
  const item = items.findIndex(isPasswordVariable)
  const value = items[item]?.attributeValue
  return typeof value === 'string' ? { value, item } : null
}

function isPasswordVariable({ component, variable, attributeType }: Payload): boolean {
  return (
    isObject(component) &&
    isObject(variable) &&
    sameName(component.name, 'SecurityCtrlr') &&
    sameName(variable.name, 'BasicAuthPassword') &&
    (attributeType === undefined || attributeType === 'Actual')
  )
}

const sameName = (value: unknown, name: string) =>
  typeof value === 'string' && value.toLowerCase() === name.toLowerCase()

const hashOf = (value: string, vault: Vault) => vault.hashPassword(vault.isSealed(value) ? vault.open(value) : value)

/** Actions by which a password may be changed. */
export const passwordActions: ReadonlySet<string> = new Set(['ChangeConfiguration', 'SetVariables'])

/** Before the station can know it: from now on the new password opens the door as well. */
export function proposePassword(
  command: Command,
  callIndex: number,
  vault: Vault,
): (SecretChange & { kind: 'propose' }) | null {
  const password = findPassword(command, callIndex)
  return password && { kind: 'propose', ...carried(command, callIndex, password, vault) }
}

/**
 * What the word on a CALL means for the password it carried. Where the station may or may not have taken it, or takes it
 * only with its next start, both stay valid.
 */
export function concludePassword(command: Command, outcome: CallOutcome, vault: Vault): SecretChange | null {
  const { callIndex, kind, verdict, response } = outcome
  const password = findPassword(command, callIndex)
  if (!password) return null
  const status = kind === 'result' && verdict ? statusOf(response, password.item) : null
  const refused = status !== null && status !== 'Accepted' && status !== 'RebootRequired'
  if (status !== 'Accepted' && !refused && !neverTaken.has(kind)) return null
  const { carriedBy, ...secret } = carried(command, callIndex, password, vault)
  return status === 'Accepted' ? { kind: 'confirm', ...secret } : { kind: 'discard', ...secret, carriedBy }
}

function carried({ id, stationId }: Command, callIndex: number, { value }: PasswordPlace, vault: Vault) {
  return { stationId, hash: hashOf(value, vault), carriedBy: `${id}/${callIndex}` }
}

/** The station refused the CALL, or it was never sent. Not `undeliverable`: the channels may have failed after taking it. */
const neverTaken: ReadonlySet<string> = new Set(['error', 'expired', 'unsent'])

function statusOf(response: Payload | undefined, item: number | null): string | null {
  if (!response) return null
  if (item === null) return typeof response.status === 'string' ? response.status : null
  const result = toObjects(response.setVariableResult).find(isPasswordVariable)
  return typeof result?.attributeStatus === 'string' ? result.attributeStatus : null
}
