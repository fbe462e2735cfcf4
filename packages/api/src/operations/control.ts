import { z } from 'zod'
import { ProblemError } from '../problems.js'
import { loadSwitches } from '../routes/station-queries.js'
import { operation } from './operation.js'

const tag = 'Control'

/** 1.6 numbers connectors from 1; 0 is the station as a whole. */
export const connector = z.int().min(1).max(65_535).describe('Of OCPP 1.6: the first is 1')
export const connectorOrStation = z.int().min(0).max(65_535).describe('Of OCPP 1.6: 0 is the whole station')

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

  operation({
    path: 'availability',
    tag,
    summary: 'Take a connector, or the whole station, out of service or back into it',
    description:
      'A station that is charging schedules it for the end of the transaction. What was asked stands beside what the station reports in `GET /v1/stations/:id`.',
    body: z.strictObject({ connector: connectorOrStation, operative: z.boolean() }),
    example: { connector: 1, operative: false },
    build: {
      'ocpp1.6': async ({ connector: connectorId, operative }, { database, station }) => {
        const switches = await loadSwitches(database, station.id)
        if (switches.neverChangeAvailability === true) {
          throw new ProblemError(422, 'ChangeAvailability does harm to this station (switch neverChangeAvailability).')
        }
        return {
          action: 'ChangeAvailability',
          payload: { connectorId, type: operative ? 'Operative' : 'Inoperative' },
        }
      },
    },
  }),

  operation({
    path: 'data-transfer',
    tag,
    summary: "Send a message of a vendor's own",
    body: z.strictObject({
      vendorId: z.string().min(1).max(255),
      messageId: z.string().max(50).optional(),
      data: z.string().max(1_000_000).optional().describe('Any text; what it means is between you and the vendor'),
    }),
    example: { vendorId: 'com.example', messageId: 'setLedColor', data: '{"color":"green"}' },
    build: { 'ocpp1.6': (payload) => ({ action: 'DataTransfer', payload: { ...payload } }) },
  }),
]
