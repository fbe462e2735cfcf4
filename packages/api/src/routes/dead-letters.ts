import { redactFrame } from '@busbar/ocpp'
import type { DeadLetter as DeadLetterRow, Prisma } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { auditEach, audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found, notFound, ProblemError } from '../problems.js'
import {
  idParams,
  nullableTime,
  protocol,
  spanQuery,
  stationId,
  text,
  time,
  toNullableTime,
  toTime,
} from '../schemas.js'
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
    error: z.string().describe('What the service stumbled over, secrets replaced'),
    state: z.enum(['open', 'replayed', 'discarded']),
    createdAt: time,
    replayedAt: nullableTime.describe('When it was last given to its service again'),
    discardedAt: nullableTime,
    discardReason: z.string().nullable(),
  })
  .meta({ id: 'DeadLetter' })

const filter = {
  station: stationId.optional(),
  service: text(50).optional(),
  topic: text(200).optional(),
  action: text(50).optional().describe('Of the frame'),
  error: text(200).optional().describe('A part of the error'),
  ...spanQuery,
}

const listQuery = pageQuery.extend({ ...filter, state: z.enum(['open', 'replayed', 'discarded']).optional() })

const atOnce = 1_000

const Replay = z
  .strictObject({ ids: z.array(z.uuid()).min(1).max(atOnce).optional(), ...filter })
  .refine((wish) => Object.keys(wish).length > 0, 'name ids, or what they have in common')
  .refine(({ ids, ...common }) => ids === undefined || Object.keys(common).length === 0, 'ids, or a filter, not both')
  .meta({ examples: [{ service: 'transactions', error: 'TypeError' }] })

const Replayed = z.object({
  replayed: z.int(),
  more: z.boolean().describe(`More of them are open: ${atOnce} go at once, the oldest first`),
})

const Discard = z
  .strictObject({ reason: text(500) })
  .meta({ examples: [{ reason: 'a test of the manufacturer, the station was never in service' }] })

const tags = ['Dead letters']

/** Records a service could not decide: kept as they came, for a second try. */
export function deadLetterRoutes(app: Api, context: RouteContext): void {
  const { database, replayDeadLetters, pokeOutbox } = context
  const { prisma } = database

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
    async ({ query: { limit, cursor, state, ...common } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const createdAt = before && new Date(before[0])
      const rows = await prisma.deadLetter.findMany({
        where: {
          AND: [
            toWhere(common),
            state === undefined ? {} : states[state],
            before && createdAt ? { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: before[1] } }] } : {},
          ],
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit + 1,
      })
      return toPage(rows, limit, toDeadLetter, (row) => [toTime(row.createdAt), row.id])
    },
  )

  app.get(
    '/v1/dead-letters/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Show a dead letter', params: idParams, response: { 200: DeadLetter } },
    },
    async ({ params: { id } }) =>
      toDeadLetter(found(await prisma.deadLetter.findUnique({ where: { id } }), 'dead letter')),
  )

  app.post(
    '/v1/dead-letters/:id/replay',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Give a dead letter to its service again',
        description:
          'Safe to repeat: what it does is keyed like the first time. What stood in the place of a secret is gone. If it fails again, it is a new dead letter.',
        params: idParams,
        response: { 202: Replayed.describe('On its way') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if ((await replay([id], request)).length === 0) {
        found(await prisma.deadLetter.findUnique({ where: { id } }), 'dead letter')
        throw new ProblemError(409, 'The dead letter was discarded.')
      }
      return reply.code(202).send({ replayed: 1, more: false })
    },
  )

  app.post(
    '/v1/dead-letters/replay',
    {
      schema: {
        tags,
        summary: 'Give many dead letters to their services again',
        description: 'Those with these ids, or all open ones that match, in the order they first came.',
        body: Replay,
        response: { 202: Replayed.describe('On their way') },
      },
    },
    async (request, reply) => {
      const { ids, ...common } = request.body
      const chosen = ids ?? (await findOpen(common))
      const going = await replay(chosen.slice(0, atOnce), request)
      return reply.code(202).send({ replayed: going.length, more: chosen.length > atOnce })
    },
  )

  app.post(
    '/v1/dead-letters/:id/discard',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Discard a dead letter',
        description: 'Nothing shall come of it; it is kept as long as those that were replayed.',
        params: idParams,
        body: Discard,
        response: { 204: z.undefined().describe('Discarded') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const { reason } = request.body
      const entry = audited(callerOf(request), 'dead-letter.discard', id, { reason })
      const discarded = await database.query({
        text: `
          WITH discarded AS (
            UPDATE dead_letter SET discarded_at = now(), discard_reason = $2
            WHERE id = $1::uuid AND replayed_at IS NULL AND discarded_at IS NULL RETURNING id
          )
          INSERT INTO audit_entry (actor, action, target_type, target_id, details)
          SELECT $3, $4, $5, id::text, $6::jsonb FROM discarded RETURNING id`,
        values: [id, reason, entry.actor, entry.action, entry.targetType, JSON.stringify(entry.details)],
      })
      if (discarded.length === 1) return reply.code(204).send(undefined)
      if ((await prisma.deadLetter.count({ where: { id } })) === 0) throw notFound('dead letter')
      throw new ProblemError(409, 'The dead letter is not open any more.')
    },
  )

  async function replay(ids: readonly string[], request: Parameters<typeof callerOf>[0]): Promise<string[]> {
    const entry = audited(callerOf(request), 'dead-letter.replay', '')
    const going = await replayDeadLetters(ids, (targets) => [auditEach(entry, targets)])
    if (going.length > 0) pokeOutbox()
    return going
  }

  async function findOpen(common: Common): Promise<string[]> {
    const rows = await prisma.deadLetter.findMany({
      where: { AND: [toWhere(common), states.open] },
      orderBy: { createdAt: 'asc' },
      take: atOnce + 1,
      select: { id: true },
    })
    return rows.map(({ id }) => id)
  }
}

const states = {
  open: { replayedAt: null, discardedAt: null },
  replayed: { replayedAt: { not: null } },
  discarded: { discardedAt: { not: null } },
} satisfies Record<string, Prisma.DeadLetterWhereInput>

type Common = Omit<z.infer<typeof listQuery>, 'limit' | 'cursor' | 'state'>

function toWhere({ station, service, topic, action, error, from, to }: Common): Prisma.DeadLetterWhereInput {
  return {
    ...(station !== undefined && { stationId: station }),
    ...(service !== undefined && { service }),
    ...(topic !== undefined && { topic }),
    ...(action !== undefined && { headers: { path: ['action'], equals: action } }),
    ...(error !== undefined && { error: { contains: error } }),
    ...((from || to) && { createdAt: { ...(from && { gte: from }), ...(to && { lt: to }) } }),
  }
}

function toDeadLetter({ offset, headers, value, ...row }: DeadLetterRow): z.infer<typeof DeadLetter> {
  const named = z.record(z.string(), z.string()).catch({}).parse(headers)
  return {
    ...row,
    offset: String(offset),
    headers: named,
    ...toRedacted(value, named),
    state: row.discardedAt ? 'discarded' : row.replayedAt ? 'replayed' : 'open',
    createdAt: toTime(row.createdAt),
    replayedAt: toNullableTime(row.replayedAt),
    discardedAt: toNullableTime(row.discardedAt),
  }
}

/** Frames of stations are stored redacted; requests from outsiders are kept as they came. */
function toRedacted(value: Uint8Array, headers: Record<string, string>) {
  const text = toText(value)
  if (text.encoding === 'base64') return text
  const version = protocol.safeParse(headers.protocol).data ?? 'ocpp2.0.1'
  return { ...text, frame: redactFrame(version, text.frame, headers.action) }
}
