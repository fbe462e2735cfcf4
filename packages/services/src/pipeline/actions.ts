import { type Dialect, toDialect } from '@busbar/ocpp'
import { passOver } from './parts.js'
import type { Decide, Decision, DecisionContext, InboundRecord } from './service.js'

/**
 * What a service decides: OCPP version and action -> decision. 2.1 uses the decisions of 2.0.1.
 * A payload was held against its schema by the gateway; `never` lets each decision name its own request.
 */
export type Actions<State> = Record<Dialect, Readonly<Record<string, Decide<never, object, State>>>>

/** Decides a call by the table, or passes it over (`passOver`). */
export function decideCall<State>(
  actions: Actions<State>,
  record: InboundRecord,
  state: State,
  context: DecisionContext,
): Decision {
  const rows = actions[toDialect(record.protocol)]
  const decide = Object.hasOwn(rows, record.action) ? rows[record.action] : undefined
  return decide ? decide(record.payload as never, state, context) : passOver(record)
}
