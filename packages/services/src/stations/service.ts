import { decideCall } from '../pipeline/actions.js'
import type { Service } from '../pipeline/service.js'
import { actions } from './actions.js'
import { variables } from './device-model.js'
import { loadStations } from './load.js'
import { connectionRecords } from './presence.js'
import { saveStations } from './save.js'
import type { StationsState } from './state.js'

const otherRecords: typeof connectionRecords = { ...connectionRecords, variables }

/** Registration, presence, connector status and device model. See README.md. */
export function createStationsService(): Service<StationsState> {
  return {
    name: 'stations',
    topics: (names) => [names.lane('stations')],
    load: loadStations,
    decide: (record, state, context) => {
      if (record.type === 'call') return decideCall(actions, record, state, context)
      // Records of other types belong to the gateway and the journal.
      return Object.hasOwn(otherRecords, record.type) ? (otherRecords[record.type]?.(record, state, context) ?? {}) : {}
    },
    save: saveStations,
  }
}
