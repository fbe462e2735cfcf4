import type { Protocol } from '../protocol.js'
import type { ActionRow } from './row.js'
import { actions16 } from './v16.js'
import { actions201 } from './v201.js'

/** Every action of a version, one row each. */
export const actionTable: Readonly<Record<'ocpp1.6' | 'ocpp2.0.1', readonly ActionRow[]>> = {
  'ocpp1.6': actions16,
  'ocpp2.0.1': actions201,
}

const rows16 = new Map(actions16.map((row) => [row.action, row]))
const rows201 = new Map(actions201.map((row) => [row.action, row]))

/** 2.1 is read with the rows of 2.0.1; what only 2.1 has is unknown until it gets a table of its own. */
export function findAction(protocol: Protocol, action: string): ActionRow | undefined {
  return (protocol === 'ocpp1.6' ? rows16 : rows201).get(action)
}
