import type { LocalListEntry } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageQuery, parseCursor, toPage } from '../cursor.js'
import { found } from '../problems.js'
import { nullableTime, stationParams, toNullableTime } from '../schemas.js'

const state = z.enum(['requested', 'accepted', 'failed', 'version-mismatch', 'not-supported', 'unknown'])

const Entry = z.object({
  token: z.string().describe('As it was sent'),
  status: z.string().describe('As OCPP 1.6 spells it: Accepted, Blocked, ...'),
  expiresAt: nullableTime,
  group: z.string().nullable(),
})

const LocalList = z
  .object({
    version: z.int().nullable().describe('-1: the station has no list; 0: it is empty; null: it has not said'),
    state: state
      .nullable()
      .describe('What became of the last list sent; null where there was none, or its version said more since'),
    known: z.boolean().describe('Whether the entries are all that is on the list'),
    inStep: z.boolean().describe('Kept in step with the tokens: the switch `localListSync` of the station'),
    changedAt: nullableTime,
    entries: z.array(Entry).describe('What the station agreed to'),
    nextCursor: z.string().nullable().describe('For the next page of entries; null on the last'),
  })
  .meta({ id: 'LocalList' })

export function localListRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/stations/:id/local-list',
    {
      config: { problems: [404] },
      schema: {
        tags: ['Local lists'],
        summary: 'Read the local authorization list of a station',
        params: stationParams,
        querystring: pageQuery,
        response: { 200: LocalList },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.string()]))
      const [station, list, rows] = await Promise.all([
        prisma.station.findUnique({ where: { id }, select: { switches: true } }),
        prisma.localList.findUnique({ where: { stationId: id } }),
        prisma.localListEntry.findMany({
          where: { stationId: id, ...(after && { foldedTag: { gt: after[0] } }) },
          orderBy: { foldedTag: 'asc' },
          take: limit + 1,
        }),
      ])
      const { switches } = found(station, 'station')
      const { items: entries, nextCursor } = toPage(rows, limit, toEntry, ({ foldedTag }) => [foldedTag])
      return {
        version: list?.version ?? null,
        state: state.nullable().parse(list?.state ?? null),
        known: list?.known ?? false,
        inStep: (switches as Record<string, unknown>).localListSync === true,
        changedAt: toNullableTime(list?.updatedAt ?? null),
        entries,
        nextCursor,
      }
    },
  )
}

function toEntry({ idTag, status, expiresAt, parentIdTag }: LocalListEntry): z.infer<typeof Entry> {
  return { token: idTag, status, expiresAt: toNullableTime(expiresAt), group: parentIdTag }
}
