import type { BulkCommand as BulkCommandRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { actorOf, audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { createBulkCommand } from '../bulk/create.js'
import { verdictOf } from '../bulk/statements.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found, ProblemError } from '../problems.js'
import { idParams, toNullableTime } from '../schemas.js'
import {
  BulkCommand,
  BulkCommandDraft,
  BulkStation,
  bulkStatus,
  Progress,
  Reason,
  stationsQuery,
  toBulkCommand,
} from './bulk-schemas.js'

const listQuery = pageQuery.extend({ status: bulkStatus.optional() })
const tags = ['Bulk commands']

/** One command for many stations, at a pace. Taken on by `bulk/runner.ts`. */
export function bulkCommandRoutes(app: Api, context: RouteContext): void {
  const { database, vault, bulkLock } = context
  const { prisma } = database

  const progressOf = async (commands: readonly BulkCommandRow[]) => {
    const rows = await database.query<{ id: string; verdict: string; count: number }>({
      text: `SELECT t.bulk_id AS id, ${verdictOf} AS verdict, count(*)::int AS count
             FROM bulk_target t LEFT JOIN command c ON c.id = t.command_id WHERE t.bulk_id = ANY($1) GROUP BY 1, 2`,
      values: [commands.filter(({ progress }) => progress === null).map(({ id }) => id)],
    })
    const progress = new Map(commands.map((row) => [row.id, Progress.parse(row.progress ?? {})]))
    for (const { id, verdict, count } of rows) Object.assign(progress.get(id) ?? {}, { [verdict]: count })
    return progress
  }
  const show = async (id: string) => {
    const row = found(await prisma.bulkCommand.findUnique({ where: { id } }), 'bulk command')
    return toBulkCommand(row, (await progressOf([row])).get(id) ?? {}, vault)
  }

  app.post(
    '/v1/bulk-commands',
    {
      bodyLimit: 4 * 1024 * 1024,
      config: { problems: [404, 409, 422] },
      schema: {
        tags,
        summary: 'Send a command to many stations, one after the other',
        description:
          'Each station gets an ordinary command, once. More than 50 stations, or more than a tenth of the fleet a minute, waits until a second person approves it, for a day; what others wait to send without approval counts too.',
        body: BulkCommandDraft,
        response: { 201: BulkCommand },
      },
    },
    async (request, reply) => {
      const id = await createBulkCommand(context, callerOf(request), request.body)
      return reply
        .code(201)
        .header('location', `/v1/bulk-commands/${id}`)
        .send(await show(id))
    },
  )

  app.get(
    '/v1/bulk-commands',
    {
      schema: {
        tags,
        summary: 'List bulk commands, newest first',
        querystring: listQuery,
        response: { 200: pageOf(BulkCommand) },
      },
    },
    async ({ query: { limit, cursor, status } }) => {
      const before = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.bulkCommand.findMany({
        where: { ...(status && { status }), ...(before && { id: { lt: before[0] } }) },
        orderBy: { id: 'desc' },
        take: limit + 1,
      })
      const progress = await progressOf(rows)
      return toPage(
        rows,
        limit,
        (row) => toBulkCommand(row, progress.get(row.id) ?? {}, vault),
        ({ id }) => [id],
      )
    },
  )

  app.get(
    '/v1/bulk-commands/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Read a bulk command and its progress',
        params: idParams,
        response: { 200: BulkCommand },
      },
    },
    async ({ params: { id } }) => show(id),
  )

  app.get(
    '/v1/bulk-commands/:id/stations',
    {
      schema: {
        tags,
        summary: 'List the stations of a bulk command with what became of it',
        params: idParams,
        querystring: pageQuery.extend(stationsQuery),
        response: { 200: pageOf(BulkStation) },
      },
    },
    async ({ params: { id }, query: { limit, cursor, verdict = null } }) => {
      const after = parseCursor(cursor, z.tuple([z.string()]))
      const rows = await database.query<StationRow>({
        text: `SELECT * FROM (
                 SELECT t.station_id AS "stationId", ${verdictOf} AS verdict, t.command_id AS "commandId", t.error,
                   b.started_at + t.offset_ms * interval '1 ms' AS "turnAt", t.sent_at AS "sentAt",
                   c.completed_at AS "completedAt"
                 FROM bulk_target t JOIN bulk_command b ON b.id = t.bulk_id LEFT JOIN command c ON c.id = t.command_id
                 WHERE t.bulk_id = $1 AND ($2::text IS NULL OR t.station_id > $2)) AS r
               WHERE $3::text IS NULL OR verdict = $3 ORDER BY "stationId" LIMIT $4`,
        values: [id, after?.[0] ?? null, verdict, limit + 1],
      })
      return toPage(rows, limit, toBulkStation, ({ stationId }) => [stationId])
    },
  )

  /** What an operator decides about one that is there; under the lock, so that no step is under way. */
  const decision = (name: string, summary: string, { from, takes, description }: Decision) =>
    app.post(
      `/v1/bulk-commands/:id/${name}`,
      {
        config: { problems: [404, 409] },
        schema: {
          tags,
          summary,
          ...(description && { description }),
          params: idParams,
          body: Reason,
          response: { 200: BulkCommand },
        },
      },
      async (request) => {
        const { id } = request.params
        const caller = callerOf(request)
        await bulkLock.hold(async () => {
          const row = found(await prisma.bulkCommand.findUnique({ where: { id } }), 'bulk command')
          if (!from.includes(row.status))
            throw new ProblemError(409, `A bulk command that is ${row.status} takes no ${name}.`)
          if (name === 'approve' && caller.owner === row.owner) {
            throw new ProblemError(409, 'It takes a person other than the one behind it.')
          }
          if ((name === 'approve' || name === 'resume') && (await prisma.bulkKillSwitch.count()) > 0) {
            throw new ProblemError(409, 'The kill switch is engaged.')
          }
          const { reason } = request.body
          await prisma.$transaction([
            prisma.bulkCommand.update({ where: { id }, data: takes({ by: actorOf(caller), reason, now: new Date() }) }),
            prisma.auditEntry.create({ data: audited(caller, `bulk-command.${name}`, id, { reason }) }),
          ])
        })
        return show(id)
      },
    )

  decision('approve', 'Approve what another operator wants to send', {
    from: ['awaiting-approval'],
    description:
      'Another API key of the person who made it does not count as another operator, nor one made with that: see `owner` of API keys.',
    takes: ({ by, now }) => ({
      ...{ status: 'running', approvedBy: by, decidedBy: by, startedAt: now, resumedAt: now, dueAt: now },
    }),
  })
  decision('deny', 'Deny what an operator wants to send', {
    from: ['awaiting-approval'],
    takes: ({ by, reason, now }) => ({
      ...{ status: 'denied', decidedBy: by, statusReason: reason, completedAt: now, dueAt: null },
    }),
  })
  decision('stop', 'Stop a bulk command until it is resumed', {
    from: ['running'],
    description: 'Once this is answered no further station has its turn. What was sent stays sent.',
    takes: ({ reason }) => ({ status: 'stopped', statusReason: reason, dueAt: null }),
  })
  decision('resume', 'Resume a bulk command that was stopped', {
    from: ['stopped'],
    description: 'Failures are counted anew, and nothing is caught up faster than the pace.',
    takes: ({ now }) => ({ status: 'running', statusReason: null, resumedAt: now, dueAt: now }),
  })
  decision('cancel', 'End a bulk command', {
    from: ['awaiting-approval', 'running', 'stopped'],
    description: 'Once this is answered no further station has its turn. What was sent stays sent.',
    takes: ({ reason, now }) => ({ status: 'cancelled', statusReason: reason, completedAt: now, dueAt: null }),
  })
}

interface Decision {
  from: readonly string[]
  description?: string
  takes(by: { by: string; reason: string; now: Date }): object
}

type StationRow = Omit<z.infer<typeof BulkStation>, 'turnAt' | 'sentAt' | 'completedAt'> & {
  turnAt: Date | null
  sentAt: Date | null
  completedAt: Date | null
}

function toBulkStation(row: StationRow): z.infer<typeof BulkStation> {
  return {
    ...row,
    turnAt: toNullableTime(row.turnAt),
    sentAt: toNullableTime(row.sentAt),
    completedAt: toNullableTime(row.completedAt),
  }
}
