import { decideCall } from '../pipeline/actions.js'
import type { Service } from '../pipeline/service.js'
import { actions } from './actions.js'
import { settleAnswered } from './answered.js'
import { observeClocks } from './clock-skew.js'
import { loadState } from './load.js'
import { saveState } from './save.js'
import type { ChargingState } from './state.js'

/**
 * Decides who may charge, and keeps what was charged.
 *
 * Lane `busbar.ocpp.transactions`, key stationId: the frames of one station are decided in the order they came in.
 * Delivery at least once; every message has a natural key in Postgres, so a repeat changes nothing.
 */
export function createTransactionsService(): Service<ChargingState> {
  return {
    name: 'transactions',
    topics: (names) => [names.lane('transactions')],
    load: loadState,
    decide: (record, state, context) => {
      if (record.type === 'call') return decideCall(actions, record, state, context)
      return record.type === 'answered' ? settleAnswered(record, state) : {}
    },
    save: saveState,
    after: async (batch, { metrics }) => observeClocks(batch, metrics),
  }
}
