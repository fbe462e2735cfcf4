import { z } from 'zod'
import { findConfigurationEntries } from '../routes/configuration.js'
import { findConfigurationKey, valueWarnings } from './configuration-keys.js'
import { type OperationContext, operation } from './operation.js'

const tag = 'Configuration'

const key = z.string().min(1).max(50)

export const configurationOperations = [
  operation({
    path: 'configuration/read',
    tag,
    summary: "Read a station's configuration keys",
    description: 'All of them, or those named; asked for in as many messages as its GetConfigurationMaxKeys demands.',
    body: z.strictObject({ keys: z.array(key).min(1).max(1_000).optional() }),
    example: { keys: ['HeartbeatInterval', 'MeterValueSampleInterval'] },
    build: {
      // Some stations break on an empty list where they take none.
      'ocpp1.6': ({ keys }) => ({ action: 'GetConfiguration', payload: keys ? { key: keys } : {} }),
    },
  }),

  operation({
    path: 'configuration/change',
    tag,
    summary: "Change one of a station's configuration keys",
    description:
      'What the standard or the station said against it comes as a warning; the station decides. A value that takes effect with the next boot is kept as pending until then.',
    body: z.strictObject({
      key,
      value: z.union([
        z.string().max(500),
        z.number().transform((value) => String(value)),
        z.boolean().transform((value) => String(value)),
      ]),
    }),
    example: { key: 'MeterValueSampleInterval', value: '60' },
    build: {
      'ocpp1.6': async (wish, context) => ({
        action: 'ChangeConfiguration',
        payload: wish,
        warnings: await changeWarnings(wish, context),
      }),
    },
  }),
]

async function changeWarnings(
  wish: { key: string; value: string },
  { database, station }: OperationContext,
): Promise<string[]> {
  const standard = findConfigurationKey(wish.key)
  const [known] = await findConfigurationEntries(database, station.id, wish.key)
  return [
    ...(standard ? valueWarnings(standard, wish.value) : []),
    ...(standard?.access === 'R' && !known ? [`${standard.name} is read-only by the standard.`] : []),
    ...(known?.readonly ? [`The station said that ${wish.key} is read-only.`] : []),
    ...(known?.unknown ? [`The station said that it does not know ${wish.key}.`] : []),
    ...(!standard && !known ? [`Neither the standard nor the station has named a key ${wish.key}.`] : []),
  ]
}
