import { z } from 'zod'
import { operation } from './operation.js'

const tag = 'Control'

/** 1.6 numbers connectors from 1; 0 is the station as a whole. */
export const connector = z.int().min(1).max(65_535).describe('Of OCPP 1.6: the first is 1')

export const controlOperations = [
  operation({
    path: 'clear-cache',
    tag,
    summary: 'Make a station forget the tokens it has seen',
    body: z.strictObject({}),
    example: {},
    build: { 'ocpp1.6': () => ({ action: 'ClearCache', payload: {} }) },
  }),

  operation({
    path: 'reset',
    tag,
    summary: 'Restart a station',
    description:
      'soft: it ends its transactions first and sends their ends. hard: at once, their ends come after the boot.',
    body: z.strictObject({ type: z.enum(['soft', 'hard']) }),
    example: { type: 'soft' },
    build: {
      'ocpp1.6': ({ type }) => ({ action: 'Reset', payload: { type: type === 'soft' ? 'Soft' : 'Hard' } }),
    },
  }),

  operation({
    path: 'unlock',
    tag,
    summary: 'Unlock the cable of a connector',
    description: 'A running transaction on it ends first.',
    body: z.strictObject({ connector }),
    example: { connector: 1 },
    build: { 'ocpp1.6': ({ connector: connectorId }) => ({ action: 'UnlockConnector', payload: { connectorId } }) },
  }),
]
