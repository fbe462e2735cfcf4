import type { Database } from '@busbar/store'
import { z } from 'zod'
import { ProblemError } from '../problems.js'
import { connectorOrStation } from './control.js'
import { operation } from './operation.js'

/** OCPP 1.6 §7.39; security white paper edition 3, MessageTriggerEnumType. */
const plain = [
  'BootNotification',
  'DiagnosticsStatusNotification',
  'FirmwareStatusNotification',
  'Heartbeat',
  'MeterValues',
  'StatusNotification',
] as const
const extended = [
  'BootNotification',
  'FirmwareStatusNotification',
  'Heartbeat',
  'LogStatusNotification',
  'MeterValues',
  'SignChargePointCertificate',
  'StatusNotification',
] as const

const messages = [...new Set([...plain, ...extended])]
type Message = (typeof messages)[number]
const isIn = (list: readonly string[], message: Message) => list.includes(message)

export const triggerOperations = [
  operation({
    path: 'trigger',
    tag: 'Remote trigger',
    summary: 'Make a station send a message now',
    description:
      'Without `extended` a message goes out as TriggerMessage, and as ExtendedTriggerMessage where only that knows it. FirmwareStatusNotification brings the signed variant when triggered as extended.',
    body: z.strictObject({
      message: z.enum(messages),
      connector: connectorOrStation.optional().describe('All of them when not given'),
      extended: z.boolean().optional(),
    }),
    example: { message: 'StatusNotification', connector: 1 },
    build: {
      'ocpp1.6': async ({ message, connector, extended: wanted }, { database, station }) => {
        const isExtended = wanted ?? !isIn(plain, message)
        const action = isExtended ? 'ExtendedTriggerMessage' : 'TriggerMessage'
        const faults = [
          ...(isIn(isExtended ? extended : plain, message)
            ? []
            : [{ detail: `${action} cannot ask for it`, pointer: '/message' }]),
          ...(message === 'SignChargePointCertificate' && connector !== undefined
            ? [{ detail: 'A certificate belongs to no connector', pointer: '/connector' }]
            : []),
        ]
        if (faults.length > 0) throw new ProblemError(422, 'OCPP 1.6 has no such trigger.', { faults })
        return {
          action,
          payload: { requestedMessage: message, ...(connector !== undefined && { connectorId: connector }) },
          warnings: connector === undefined ? [] : await connectorWarnings(database, station.id, connector),
        }
      },
    },
  }),
]

/** The station knows better which connectors it has. */
async function connectorWarnings(database: Database, stationId: string, connector: number): Promise<string[]> {
  if (connector === 0) return ['OCPP 1.6 triggers connectors from 1 on; without one the message comes for all of them.']
  const known = await database.prisma.protocolAddress.findMany({
    where: { stationId, protocol: 'ocpp1.6' },
    select: { connectorNumber: true },
  })
  const isKnown = known.length === 0 || known.some(({ connectorNumber }) => connectorNumber === connector)
  return isKnown ? [] : [`The station has never named a connector ${connector}.`]
}
