import { decideCall } from '../pipeline/actions.js'
import type { Decision, DecisionContext, InboundRecord, Service } from '../pipeline/service.js'
import { actions } from './actions.js'
import { settleAnswered } from './answered.js'
import { observeClocks } from './clock-skew.js'
import { loadState } from './load.js'
import { operatorRequestType } from './operator/request.js'
import { takeOperatorRequest } from './operator/take-request.js'
import { isPackJob, packLater } from './packing.js'
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
      if (isPackJob(record)) return state.packing.run(context)
      const decision = decideMessage(record, state, context)
      const put = state.takeOver().map((transaction) => packLater(transaction, context.now))
      return put.length === 0 ? decision : { ...decision, jobs: { put, remove: [] } }
    },
    save: saveState,
    after: async (batch, { metrics }) => observeClocks(batch, metrics),
  }
}

function decideMessage(record: InboundRecord, state: ChargingState, context: DecisionContext): Decision {
  switch (record.type) {
    case 'call':
      return decideCall(actions, record, state, context)
    case 'answered':
      return settleAnswered(record, state)
    case operatorRequestType:
      return takeOperatorRequest(record, state, context)
    default:
      return {}
  }
}
