import type { Database, PrismaClient } from '@busbar/store'
import { z } from 'zod'
import { parseCursor, toPage } from '../cursor.js'
import { toTime } from '../schemas.js'
import type { StationParts, StationSummary, Variable } from './station-schemas.js'

type SummaryRow = Omit<z.infer<typeof StationSummary>, 'lastSeenAt'> & { lastSeenAt: Date | null }

/** One row more than a page, by id. */
export function listStations(
  database: Database,
  filter: {
    after: string | undefined
    online?: boolean | undefined
    registration?: string | undefined
    siteId?: string | undefined
    q?: string | undefined
    group?: string | undefined
    tag?: string | undefined
    limit: number
  },
): Promise<SummaryRow[]> {
  const { after, online, registration, siteId, q, group, tag, limit } = filter
  return database.query<SummaryRow>({
    text: `
      SELECT s.id, s.name, s.site_id AS "siteId", s.registration_policy AS "registrationPolicy", t.registration,
             coalesce(t.online, false) AS online, t.protocol, t.vendor, t.model, t.last_seen_at AS "lastSeenAt",
             s.tags, ARRAY(SELECT jsonb_build_object('id', g.id, 'name', g.name) FROM station_group_member m
               JOIN station_group g ON g.id = m.group_id WHERE m.station_id = s.id ORDER BY g.name) AS groups
      FROM station s LEFT JOIN station_state t ON t.station_id = s.id
      WHERE ($1::text IS NULL OR s.id > $1)
        AND ($2::boolean IS NULL OR coalesce(t.online, false) = $2)
        AND ($3::text IS NULL OR coalesce(t.registration, 'none') = $3)
        AND ($4::uuid IS NULL OR s.site_id = $4)
        AND ($5::text IS NULL OR position(lower($5) IN s.folded_id) > 0 OR position(lower($5) IN lower(s.name)) > 0)
        AND ($6::uuid IS NULL OR EXISTS (SELECT FROM station_group_member m WHERE m.group_id = $6 AND m.station_id = s.id))
        AND ($7::text IS NULL OR s.tags @> ARRAY[$7])
      ORDER BY s.id LIMIT $8`,
    values: [
      after ?? null,
      online ?? null,
      registration ?? null,
      siteId ?? null,
      q ?? null,
      group ?? null,
      tag ?? null,
      limit + 1,
    ],
  })
}

export async function findStation(prisma: PrismaClient, id: string): Promise<StationParts | null> {
  const [station, state, evses, desired, profileChange, groups] = await Promise.all([
    prisma.station.findUnique({ where: { id } }),
    prisma.stationState.findUnique({ where: { stationId: id } }),
    prisma.evse.findMany({
      where: { stationId: id },
      include: { connectors: { orderBy: { number: 'asc' } } },
      orderBy: { number: 'asc' },
    }),
    prisma.desiredAvailability.findMany({ where: { stationId: id } }),
    prisma.securityProfileChange.findUnique({ where: { stationId: id } }),
    prisma.stationGroup.findMany({
      where: { members: { some: { stationId: id } } },
      select: { id: true, name: true },
      orderBy: { name: 'asc' },
    }),
  ])
  return station && { station, state, evses, desired, profileChange, groups }
}

interface VariableRow extends Omit<z.infer<typeof Variable>, 'updatedAt'> {
  updatedAt: Date
  key: (string | number)[]
}

const variableKey = z.tuple([z.string(), z.string(), z.int(), z.int(), z.string(), z.string(), z.string()])

/** Component and variable are compared as the device model does: case-folded. */
export async function listVariables(
  database: Database,
  stationId: string,
  filter: {
    component?: string | undefined
    variable?: string | undefined
    evse?: number | undefined
    limit: number
    cursor?: string | undefined
  },
): Promise<{ items: z.infer<typeof Variable>[]; nextCursor: string | null }> {
  const after = parseCursor(filter.cursor, variableKey)
  const key = `component_key, component_instance, evse_number, connector_number, variable_key, variable_instance, attribute_type`
  const rows = await database.query<VariableRow>({
    text: `
      SELECT component, nullif(component_instance, '') AS "componentInstance", nullif(evse_number, -1) AS evse,
             nullif(connector_number, -1) AS connector, variable, nullif(variable_instance, '') AS "variableInstance",
             attribute_type AS "attributeType", value, mutability, persistent, constant, characteristics,
             updated_at AS "updatedAt", jsonb_build_array(${key}) AS key
      FROM variable
      WHERE station_id = $1
        AND ($2::text IS NULL OR component_key = lower($2))
        AND ($3::text IS NULL OR variable_key = lower($3))
        AND ($4::int IS NULL OR evse_number = $4)
        AND (${after === null} OR (${key}) > ($5, $6, $7::int, $8::int, $9, $10, $11))
      ORDER BY ${key} LIMIT $12`,
    values: [
      stationId,
      filter.component ?? null,
      filter.variable ?? null,
      filter.evse ?? null,
      ...(after ?? Array<null>(7).fill(null)),
      filter.limit + 1,
    ],
  })
  return toPage(
    rows,
    filter.limit,
    ({ key: _, updatedAt, ...row }) => ({ ...row, updatedAt: toTime(updatedAt) }),
    (row) => row.key,
  )
}

/** Tolerances and reactions that hold for a station: its preset's, overlaid by its own. */
export async function loadSwitches(database: Database, stationId: string): Promise<Record<string, unknown>> {
  const [row] = await database.query<{ switches: Record<string, unknown> }>({
    name: 'switches_of_station',
    text: 'SELECT switches FROM station WHERE id = $1',
    values: [stationId],
  })
  return row?.switches ?? {}
}
