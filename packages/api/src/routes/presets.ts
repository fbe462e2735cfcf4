import { presets, stationSwitches, suggestPreset } from '@busbar/ocpp'
import { type Sql, sql, UnavailableError } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import type { ApiPorts } from '../ports.js'
import { stationId } from '../schemas.js'

const Preset = z
  .object({
    name: z.string(),
    description: z.string(),
    vendor: z.string().describe('A regular expression, in any letter case'),
    model: z.string().nullable(),
    switches: z.record(z.string(), z.union([z.boolean(), z.number(), z.string()])),
    suggested: z.boolean().describe('For the station that was asked about, by what it said of itself when it booted'),
  })
  .meta({ id: 'Preset' })

const Switch = z.object({
  name: z.string(),
  type: z.enum(['boolean', 'number', 'text']),
  description: z.string(),
  min: z.number().optional(),
  max: z.number().optional(),
})

const switchesByPreset = JSON.stringify(Object.fromEntries(presets.map(({ name, switches }) => [name, switches])))

/** Makes the effective switches true: the preset's, overlaid by the station's own. @param ids null: of all with a preset */
export function overlaySwitches(ids: readonly string[] | null): Sql {
  return updateSwitches(switchesByPreset, ids)
}

const overlaid = `coalesce($1::jsonb -> preset, '{}') || own_switches`
/** Only where it changes something: each API process does it to the whole fleet when it starts. */
const updateSwitches = sql(`
  UPDATE station SET switches = ${overlaid}
  WHERE (id = ANY($2::text[]) OR $2::text[] IS NULL AND preset IS NOT NULL) AND switches IS DISTINCT FROM ${overlaid}`)

/** A release may know its presets better than the one before. */
export async function renewPresets({ database, log }: Pick<ApiPorts, 'database' | 'log'>): Promise<void> {
  try {
    await database.query(overlaySwitches(null))
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause
    log.warn({ err: cause }, 'presets are as they were until the next start')
  }
}

export function presetRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/presets',
    {
      schema: {
        tags: ['Stations'],
        summary: 'List presets for makes of stations, and all switches there are',
        querystring: z.object({ station: stationId.optional() }),
        response: { 200: z.object({ items: z.array(Preset), switches: z.array(Switch) }) },
      },
    },
    async ({ query: { station } }) => {
      const said = station
        ? await prisma.stationState.findUnique({ where: { stationId: station }, select: { vendor: true, model: true } })
        : null
      const suggested = said && suggestPreset(said.vendor, said.model)
      return {
        items: presets.map(({ name, description, vendor, model, switches }) => ({
          name,
          description,
          vendor: vendor.source,
          model: model?.source ?? null,
          switches: { ...switches },
          suggested: name === suggested?.name,
        })),
        switches: Object.entries(stationSwitches).map(([name, each]) => ({ name, ...each })),
      }
    },
  )
}
