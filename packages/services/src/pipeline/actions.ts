import { OcppError } from '@busbar/ocpp'
import type { Decide, Decision, DecisionContext, InboundRecord } from './service.js'

/**
 * What a service decides: OCPP version and action -> decision. 2.1 uses the decisions of 2.0.1.
 * A payload was held against its schema by the gateway; `never` lets each decision name its own request.
 */
export type Actions<State> = Record<'ocpp1.6' | 'ocpp2.0.1', Readonly<Record<string, Decide<never, object, State>>>>

/**
 * Decides a call by the table. A call that was answered on log and has no row is passed over: the journal holds it.
 * @throws OcppError NotImplemented (1.6) or NotSupported (2.0.1 and up), when the station waits and there is no row
 */
export function decideCall<State>(
  actions: Actions<State>,
  record: InboundRecord,
  state: State,
  context: DecisionContext,
): Decision {
  const rows = actions[record.protocol === 'ocpp1.6' ? 'ocpp1.6' : 'ocpp2.0.1']
  const decide = Object.hasOwn(rows, record.action) ? rows[record.action] : undefined
  if (decide) return decide(record.payload as never, state, context)
  if (record.answer !== 'decision') return {}
  // 1.6 knows no way to say "known, but not here"; 2.0.1 does (part 4 §4.3).
  const code = record.protocol === 'ocpp1.6' ? 'NotImplemented' : 'NotSupported'
  throw new OcppError(code, `${record.action} is not served here`)
}
