import { newId, type PrismaClient, type StationGroup as StationGroupRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found, ProblemError } from '../problems.js'
import { defined, idParams, label, stationId, text, time, toTime } from '../schemas.js'

const changeable = { note: text(500).nullable().optional() }
const StationGroupDraft = z
  .strictObject({ name: label, ...changeable })
  .meta({ examples: [{ name: 'Depot North', note: 'Behind the barrier' }] })
const StationGroupChange = z
  .strictObject({ name: label.optional(), ...changeable })
  .meta({ examples: [{ name: 'Depot South' }] })
const StationGroup = z
  .object({
    id: z.string(),
    name: z.string().describe('Unique'),
    note: z.string().nullable(),
    stations: z.int().describe('How many are in it'),
    createdAt: time,
  })
  .meta({
    id: 'StationGroup',
    examples: [
      {
        id: '01932f6e-0a1b-7c3d-8e4f-5a6b7c8d9e0f',
        name: 'Depot North',
        note: 'Behind the barrier',
        stations: 48,
        createdAt: '2026-03-01T10:00:00.000Z',
      },
    ],
  })

const ids = z.array(stationId).max(10_000).default([])
const Members = z
  .strictObject({ add: ids.describe('Stations to take in'), remove: ids.describe('Stations to let go') })
  .meta({ examples: [{ add: ['CS-1', 'CS-2'], remove: ['CS-9'] }] })

const tags = ['Station groups']
const counted = { include: { _count: { select: { members: true } } } } as const

/** Sets of stations that the operator wants to speak of as one; a station may be in several. */
export function stationGroupRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/station-groups',
    {
      schema: { tags, summary: 'List station groups', querystring: pageQuery, response: { 200: pageOf(StationGroup) } },
    },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.stationGroup.findMany({
        ...counted,
        where: after ? { id: { gt: after[0] } } : {},
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toStationGroup, ({ id }) => [id])
    },
  )

  app.post(
    '/v1/station-groups',
    {
      config: { problems: [409] },
      schema: { tags, summary: 'Create a station group', body: StationGroupDraft, response: { 201: StationGroup } },
    },
    async (request, reply) => {
      const { body } = request
      const id = newId()
      const [group] = await prisma.$transaction([
        prisma.stationGroup.create({ ...counted, data: { id, ...defined(body), name: body.name } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station-group.create', id, body) }),
      ])
      return reply.code(201).send(toStationGroup(group))
    },
  )

  app.get(
    '/v1/station-groups/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read a station group', params: idParams, response: { 200: StationGroup } },
    },
    async ({ params: { id } }) => getGroup(prisma, id),
  )

  app.patch(
    '/v1/station-groups/:id',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Change a station group',
        params: idParams,
        body: StationGroupChange,
        response: { 200: StationGroup },
      },
    },
    async (request) => {
      const { id } = request.params
      const [group] = await prisma.$transaction([
        prisma.stationGroup.update({ ...counted, where: { id }, data: defined(request.body) }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station-group.update', id, request.body) }),
      ])
      return toStationGroup(group)
    },
  )

  app.post(
    '/v1/station-groups/:id/stations',
    {
      config: { problems: [404, 422] },
      schema: {
        tags,
        summary: 'Take stations into a group, and let others go',
        description: 'All or nothing; what is so already is no fault. `GET /v1/stations?group=` lists who is in it.',
        params: idParams,
        body: Members,
        response: { 200: StationGroup },
      },
    },
    async (request) => {
      const { id } = request.params
      const { add, remove } = request.body
      found(await prisma.stationGroup.findUnique({ where: { id }, select: { id: true } }), 'station group')
      await assertStations(prisma, add)
      await prisma.$transaction([
        prisma.$executeRaw`
          DELETE FROM station_group_member WHERE group_id = ${id}::uuid AND station_id = ANY(${remove})`,
        prisma.$executeRaw`
          INSERT INTO station_group_member (group_id, station_id)
          SELECT ${id}::uuid, unnest(${add}::text[]) ON CONFLICT DO NOTHING`,
        prisma.auditEntry.create({
          data: audited(callerOf(request), 'station-group.change-stations', id, { add, remove }),
        }),
      ])
      return getGroup(prisma, id)
    },
  )

  app.delete(
    '/v1/station-groups/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a station group',
        description: 'Its stations stay, without the group.',
        params: idParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.stationGroup.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station-group.delete', id) }),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

async function getGroup(prisma: PrismaClient, id: string) {
  return toStationGroup(found(await prisma.stationGroup.findUnique({ ...counted, where: { id } }), 'station group'))
}

/** @throws ProblemError 422 that names each id nobody has registered */
async function assertStations(prisma: PrismaClient, ids: readonly string[]): Promise<void> {
  const rows = await prisma.$queryRaw<{ id: string }[]>`SELECT id FROM station WHERE id = ANY(${ids})`
  const known = new Set(rows.map(({ id }) => id))
  const faults = ids.flatMap((id, index) =>
    known.has(id) ? [] : [{ detail: `There is no station ${id}.`, pointer: `/add/${index}` }],
  )
  if (faults.length > 0) throw new ProblemError(422, 'Some of these stations are not registered.', { faults })
}

function toStationGroup({
  _count,
  createdAt,
  ...row
}: StationGroupRow & { _count: { members: number } }): z.infer<typeof StationGroup> {
  return { ...row, stations: _count.members, createdAt: toTime(createdAt) }
}
