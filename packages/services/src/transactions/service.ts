import { decideCall } from '../pipeline/actions.js'
import type { Service } from '../pipeline/service.js'
import { actions } from './actions.js'
import { settleAnswered } from './answered.js'
import { observeClocks } from './clock-skew.js'
import type { EnergyLimits } from './energy.js'
import { loadState } from './load.js'
import { saveState } from './save.js'
import type { ChargingState } from './state.js'

/** No EVSE delivers more, but for trucks at sites that say so. */
export const transactionsDefaults: EnergyLimits = { maxPowerW: 1_000_000 }

/**
 * Decides who may charge, and keeps what was charged.
 *
 * Lane `busbar.ocpp.transactions`, key stationId: the frames of one station are decided in the order they came in.
 * Delivery at least once; every message has a natural key in Postgres, so a repeat changes nothing.
 */
export function createTransactionsService(limits: Partial<EnergyLimits> = {}): Service<ChargingState> {
  const effective = { ...transactionsDefaults, ...limits }
  return {
    name: 'transactions',
    topics: (names) => [names.lane('transactions')],
    load: (database, records) => loadState(database, records, effective),
    decide: (record, state, context) => {
      if (record.type === 'call') return decideCall(actions, record, state, context)
      return record.type === 'answered' ? settleAnswered(record, state) : {}
    },
    save: saveState,
    after: async (batch, { metrics }) => observeClocks(batch, metrics),
  }
}
