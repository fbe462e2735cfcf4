import { stationChannel } from '@busbar/backbone'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { asPrisma } from '../as-prisma.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { listSyncJobs } from '../list-sync.js'
import { found } from '../problems.js'
import { putLook } from '../put-look.js'
import { booleanQuery, label, stationParams, toNullableTime, toTime } from '../schemas.js'
import { overlaySwitches } from './presets.js'
import { RegisteredStation, registerStation, toColumns } from './register-station.js'
import { findStation, listStations, listVariables } from './station-queries.js'
import {
  registrationState,
  Station,
  StationChange,
  StationDraft,
  StationSummary,
  toStation,
  Variable,
} from './station-schemas.js'

const listQuery = pageQuery.extend({
  online: booleanQuery.optional(),
  registration: registrationState.optional().describe('As the station last booted; `none` before its first boot'),
  siteId: z.uuid().optional(),
  q: z.string().max(100).optional().describe('Part of id or name'),
  group: z.uuid().optional().describe('In this group'),
  tag: label.optional().describe('With this tag'),
})

const variableQuery = pageQuery.extend({
  component: z.string().max(50).optional(),
  variable: z.string().max(50).optional(),
  evse: z.coerce.number().int().min(0).optional(),
})

const Heartbeats = z.object({ day: z.string().describe('UTC, YYYY-MM-DD'), count: z.int() })

const tags = ['Stations']

export function stationRoutes(app: Api, context: RouteContext): void {
  const { database, backbone } = context
  const { prisma } = database

  app.get(
    '/v1/stations',
    {
      schema: { tags, summary: 'List stations', querystring: listQuery, response: { 200: pageOf(StationSummary) } },
    },
    async ({ query }) => {
      const after = parseCursor(query.cursor, z.tuple([z.string()]))?.[0]
      const rows = await listStations(database, { ...query, after })
      return toPage(
        rows,
        query.limit,
        (row) => ({ ...row, lastSeenAt: toNullableTime(row.lastSeenAt) }),
        ({ id }) => [id],
      )
    },
  )

  app.post(
    '/v1/stations',
    {
      config: { problems: [409] },
      schema: {
        tags,
        summary: 'Register a station',
        description: 'With security profile 1 or 2 and no password given, one is made and shown in this answer only.',
        body: StationDraft,
        response: { 201: RegisteredStation },
      },
    },
    async (request, reply) => {
      return reply.code(201).send(await registerStation(context, callerOf(request), request.body))
    },
  )

  app.get(
    '/v1/stations/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Read a station with its EVSEs, connectors and connection',
        params: stationParams,
        response: { 200: Station },
      },
    },
    async ({ params: { id } }) => toStation(found(await findStation(prisma, id), 'station')),
  )

  app.patch(
    '/v1/stations/:id',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Change what the operator decides about a station',
        description: 'Connection settings hold from the next connection, registration settings from the next boot.',
        params: stationParams,
        body: StationChange,
        response: { 200: Station },
      },
    },
    async (request) => {
      const { id } = request.params
      const { groupIds } = request.body
      await prisma.$transaction([
        prisma.station.update({
          where: { id },
          data: {
            ...toColumns(request.body),
            ...(groupIds && { groups: { deleteMany: {}, create: groupIds.map((groupId) => ({ groupId })) } }),
          },
        }),
        asPrisma(prisma, overlaySwitches([id])),
        asPrisma(prisma, listSyncJobs(id)),
        putLook(prisma, 'alert-look', id),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station.update', id, request.body) }),
      ])
      return toStation(found(await findStation(prisma, id), 'station'))
    },
  )

  app.delete(
    '/v1/stations/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a station',
        description:
          'Its open connection may say nothing more than that it booted, the next one is refused. What it told before stays: transactions, readings, journal.',
        params: stationParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      found(await prisma.station.findUnique({ where: { id }, select: { id: true } }), 'station')
      // First: when the gateway cannot be told, nothing was deleted and the request can be repeated.
      await backbone.channels.publish([
        { channel: stationChannel(id), message: { kind: 'registration', registration: 'Rejected' } },
      ])
      await prisma.$transaction([
        prisma.station.delete({ where: { id } }),
        putLook(prisma, 'alert-look', id),
        prisma.stationSecret.deleteMany({ where: { stationId: id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station.delete', id) }),
      ])
      return reply.code(204).send(undefined)
    },
  )

  app.get(
    '/v1/stations/:id/variables',
    {
      schema: {
        tags,
        summary: 'List the variables of the device model',
        params: stationParams,
        querystring: variableQuery,
        response: { 200: pageOf(Variable) },
      },
    },
    async ({ params: { id }, query }) => listVariables(database, id, query),
  )

  app.get(
    '/v1/stations/:id/heartbeats',
    {
      schema: {
        tags,
        summary: 'Count heartbeats by day, newest first',
        params: stationParams,
        querystring: pageQuery,
        response: { 200: pageOf(Heartbeats) },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.date()]))
      const rows = await prisma.heartbeatCount.findMany({
        where: { stationId: id, ...(before ? { day: { lt: new Date(before[0]) } } : {}) },
        orderBy: { day: 'desc' },
        take: limit + 1,
      })
      const days = rows.map(({ day, count }) => ({ day: toTime(day).slice(0, 10), count }))
      return toPage(
        days,
        limit,
        (each) => each,
        ({ day }) => [day],
      )
    },
  )
}
