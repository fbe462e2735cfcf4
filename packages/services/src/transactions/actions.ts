import type { Actions } from '../pipeline/actions.js'
import type { NeedsOf } from './needs.js'
import type { ChargingState } from './state.js'
import { authorize as authorize16, authorizeNeeds as authorizeNeeds16 } from './v16/authorize.js'
import { meterValues as meterValues16, meterValuesNeeds } from './v16/meter-values.js'
import { startTransaction, startTransactionNeeds } from './v16/start-transaction.js'
import { stopTransaction, stopTransactionNeeds } from './v16/stop-transaction.js'
import { authorize as authorize201, authorizeNeeds as authorizeNeeds201 } from './v201/authorize.js'
import { meterValues as meterValues201 } from './v201/meter-values.js'
import { transactionEvent, transactionEventNeeds } from './v201/transaction-event.js'

/** What this service decides; anything else on its lane is answered as not served. */
export const actions: Actions<ChargingState> = {
  'ocpp1.6': {
    Authorize: authorize16,
    MeterValues: meterValues16,
    StartTransaction: startTransaction,
    StopTransaction: stopTransaction,
  },
  'ocpp2.0.1': {
    Authorize: authorize201,
    MeterValues: meterValues201,
    TransactionEvent: transactionEvent,
  },
}

/** What each of them looks up first; MeterValues of 2.0.1 nothing. */
export const needs: Record<'ocpp1.6' | 'ocpp2.0.1', Readonly<Record<string, NeedsOf>>> = {
  'ocpp1.6': {
    Authorize: authorizeNeeds16,
    MeterValues: meterValuesNeeds,
    StartTransaction: startTransactionNeeds,
    StopTransaction: stopTransactionNeeds,
  },
  'ocpp2.0.1': { Authorize: authorizeNeeds201, TransactionEvent: transactionEventNeeds },
}
