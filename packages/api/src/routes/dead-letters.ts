import { redactFrame } from '@busbar/ocpp'
import type { DeadLetter as DeadLetterRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited, auditStatement } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { notFound } from '../problems.js'
import { booleanQuery, idParams, nullableTime, protocol, stationId, time, toNullableTime, toTime } from '../schemas.js'
import { toText } from './journal.js'

const DeadLetter = z
  .object({
    id: z.string(),
    service: z.string(),
    topic: z.string(),
    partition: z.int(),
    offset: z.string(),
    stationId: z.string(),
    headers: z.record(z.string(), z.string()),
    frame: z.string().describe('The record, secrets replaced'),
    encoding: z.enum(['utf-8', 'base64']),
    error: z.string(),
    createdAt: time,
    replayedAt: nullableTime,
  })
  .meta({ id: 'DeadLetter' })

const listQuery = pageQuery.extend({
  station: stationId.optional(),
  service: z.string().max(50).optional(),
  replayed: booleanQuery.optional(),
})

const tags = ['Dead letters']

/** Records a service could not decide: kept as they came, for a second try. */
export function deadLetterRoutes(app: Api, { database: { prisma }, replayDeadLetter, pokeOutbox }: RouteContext): void {
  app.get(
    '/v1/dead-letters',
    {
      schema: {
        tags,
        summary: 'List dead letters, newest first',
        querystring: listQuery,
        response: { 200: pageOf(DeadLetter) },
      },
    },
    async ({ query: { limit, cursor, station, service, replayed } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const createdAt = before && new Date(before[0])
      const rows = await prisma.deadLetter.findMany({
        where: {
          ...(station === undefined ? {} : { stationId: station }),
          ...(service === undefined ? {} : { service }),
          ...(replayed === undefined ? {} : { replayedAt: replayed ? { not: null } : null }),
          ...(before && createdAt
            ? { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: before[1] } }] }
            : {}),
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit + 1,
      })
      return toPage(rows, limit, toDeadLetter, (row) => [toTime(row.createdAt), row.id])
    },
  )

  app.post(
    '/v1/dead-letters/:id/replay',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Give a dead letter to its service again',
        description: 'Safe to repeat: what it does is keyed like the first time.',
        params: idParams,
        response: { 202: z.undefined().describe('On its way') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const audit = auditStatement(audited(callerOf(request), 'dead-letter.replay', id))
      if (!(await replayDeadLetter(id, [audit]))) throw notFound('dead letter')
      pokeOutbox()
      return reply.code(202).send(undefined)
    },
  )
}

function toDeadLetter({ offset, headers, value, ...row }: DeadLetterRow): z.infer<typeof DeadLetter> {
  const named = z.record(z.string(), z.string()).catch({}).parse(headers)
  return {
    ...row,
    offset: String(offset),
    headers: named,
    ...toRedacted(value, named),
    createdAt: toTime(row.createdAt),
    replayedAt: toNullableTime(row.replayedAt),
  }
}

/** Frames of stations are stored redacted; requests from outsiders are kept as they came. */
function toRedacted(value: Uint8Array, headers: Record<string, string>) {
  const text = toText(value)
  if (text.encoding === 'base64') return text
  const version = protocol.safeParse(headers.protocol).data ?? 'ocpp2.0.1'
  return { ...text, frame: redactFrame(version, text.frame, headers.action) }
}
