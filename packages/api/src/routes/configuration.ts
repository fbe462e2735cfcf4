import type { Database } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { stationParams, time, toTime } from '../schemas.js'

const ConfigurationEntry = z
  .object({
    key: z.string(),
    value: z.string().nullable().describe('`***` for a secret; null for a key without a value'),
    readonly: z.boolean().nullable().describe('null until the station said so'),
    pendingValue: z.string().nullable().describe('Agreed to with RebootRequired: its value from the next boot on'),
    unknown: z.boolean().describe('The station said that it does not know this key'),
    updatedAt: time,
  })
  .meta({ id: 'ConfigurationEntry' })

type Entry = Omit<z.infer<typeof ConfigurationEntry>, 'updatedAt'> & { updatedAt: Date }

/** What a station has said of its configuration keys, by name. @param key - only this one, in any letter case */
export function findConfigurationEntries(database: Database, stationId: string, key?: string): Promise<Entry[]> {
  return database.query<Entry>({
    name: 'configuration_entries',
    text: `
      SELECT variable AS key, value, mutability = 'ReadOnly' AS readonly, pending_value AS "pendingValue",
             is_unknown AS unknown, updated_at AS "updatedAt"
      FROM variable
      WHERE station_id = $1 AND component_key = '' AND attribute_type = 'Actual'
        AND ($2::text IS NULL OR variable_key = lower($2))
      ORDER BY variable_key`,
    values: [stationId, key ?? null],
  })
}

export function configurationRoutes(app: Api, { database }: RouteContext): void {
  app.get(
    '/v1/stations/:id/configuration',
    {
      schema: {
        tags: ['Configuration'],
        summary: "List a station's configuration keys as it last told them",
        params: stationParams,
        response: { 200: z.object({ items: z.array(ConfigurationEntry) }) },
      },
    },
    async ({ params: { id } }) => {
      const entries = await findConfigurationEntries(database, id)
      return { items: entries.map((entry) => ({ ...entry, updatedAt: toTime(entry.updatedAt) })) }
    },
  )
}
