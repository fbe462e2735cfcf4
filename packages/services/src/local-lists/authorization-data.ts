import { type Payload, parseTimestamp } from '@busbar/ocpp'
import { isObject, toObjects } from '../pipeline/objects.js'
import type { Change, Entry } from './state.js'

/**
 * What a list that was sent says of each token; of one named twice the last word counts.
 * @see OCPP 1.6 §7.1: an item without idTagInfo leaves the list
 */
export function readChanges(stationId: string, sent: Payload, at: Date): Change[] {
  return toObjects(sent.localAuthorizationList).map(({ idTag, idTagInfo }) => {
    const foldedTag = String(idTag).toLowerCase()
    if (!isObject(idTagInfo)) return { foldedTag, entry: null }
    const { status, expiryDate, parentIdTag } = idTagInfo
    const expiresAt = expiryDate === undefined ? null : parseTimestamp(expiryDate, at).at
    const entry = {
      stationId,
      foldedTag,
      idTag: String(idTag),
      status: String(status),
      expiresAt,
      parentIdTag: typeof parentIdTag === 'string' ? parentIdTag : null,
    }
    return { foldedTag, entry }
  })
}

export function entriesOf(items: readonly Change[]): Entry[] {
  return items.flatMap(({ entry }) => entry ?? [])
}
