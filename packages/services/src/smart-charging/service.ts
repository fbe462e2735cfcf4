import { composeParts, type OpenParts, type Part, toPart } from '../pipeline/parts.js'
import type { DecisionContext, Service } from '../pipeline/service.js'
import { bringUpToDate, dueJob, profileDue } from './bring-up-to-date.js'
import type { SmartChargingState } from './state.js'
import { loadSmartCharging, saveSmartCharging } from './storage.js'
import { clearChargingProfile, getCompositeSchedule, remoteStartTransaction, setChargingProfile } from './take-news.js'

/** What is known of a transaction is loaded, not taken from the event: its row is older than the event. */
const transactionChanged = (_event: unknown, state: SmartChargingState, context: DecisionContext) =>
  bringUpToDate(state, context)

export const smartChargingPart: Part<SmartChargingState> = {
  news: {
    SetChargingProfile: setChargingProfile,
    RemoteStartTransaction: remoteStartTransaction,
    ClearChargingProfile: clearChargingProfile,
    GetCompositeSchedule: getCompositeSchedule,
  },
  events: {
    'busbar.transaction.started.v1': transactionChanged,
    'busbar.transaction.ended.v1': transactionChanged,
  },
  jobs: { [dueJob]: profileDue },
  load: loadSmartCharging,
  save: saveSmartCharging,
}

/**
 * Keeps the charging profiles of stations. See README.md.
 *
 * Lane `busbar.ocpp.smart-charging` and `busbar.events`, key stationId, delivered at least once: profiles are settled anew
 * from everything that is known, so neither a repeat nor the order of the two topics changes the books.
 */
export function createSmartChargingService(): Service<OpenParts> {
  return {
    name: 'smart-charging',
    topics: (names) => [names.lane('smart-charging'), names.events],
    gathered: (names) => [names.events],
    ...composeParts([toPart(smartChargingPart)]),
  }
}
