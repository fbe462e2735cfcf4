import { type AlertAcknowledgement, type Alert as AlertRow, sql } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { actorOf, audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found, ProblemError } from '../problems.js'
import { booleanQuery, idParams, nullableTime, stationId, text, time, toNullableTime, toTime } from '../schemas.js'

const kind = z.enum(['offline', 'silent', 'faulted', 'stuck-transaction', 'refused', 'webhook-disabled'])

const Alert = z
  .object({
    id: z.string(),
    kind: kind.describe(
      'What lasts: no connection; a connection and no word; status Faulted; a transaction nothing is heard of; attempts to connect that are refused; a webhook given up after long failure',
    ),
    stationId: z.string().nullable(),
    subject: z.string().describe('`station`, `evse/1/connector/2`, a transaction id, `webhook/<id>`'),
    severity: z.enum(['warning', 'critical']),
    since: time.describe('When what it tells of began'),
    raisedAt: time,
    clearedAt: nullableTime.describe('null while it is open'),
    details: z.unknown(),
    acknowledged: z.object({ by: z.string(), at: time, note: z.string().nullable() }).nullable(),
  })
  .meta({ id: 'Alert' })

const listQuery = pageQuery.extend({
  open: booleanQuery.optional(),
  station: stationId.optional(),
  kind: kind.optional(),
  acknowledged: booleanQuery.optional(),
})
const Acknowledgement = z
  .strictObject({ note: text(1_000).optional() })
  .meta({ examples: [{ note: 'The technician comes on Monday' }] })

const tags = ['Alerts']

type Mark = { [Name in keyof Omit<AlertAcknowledgement, 'alertId'>]: AlertAcknowledgement[Name] | null }
type JoinedRow = AlertRow & Mark

const selectAlerts = sql(`
  SELECT a.id, a.kind, a.station_id AS "stationId", a.subject, a.severity, a.since, a.raised_at AS "raisedAt",
    a.cleared_at AS "clearedAt", a.details, k.acknowledged_by AS "acknowledgedBy", k.note,
    k.acknowledged_at AS "acknowledgedAt"
  FROM alert a LEFT JOIN alert_acknowledgement k ON k.alert_id = a.id
  WHERE ($1::bool IS NULL OR (a.cleared_at IS NULL) = $1) AND ($2::text IS NULL OR a.station_id = $2)
    AND ($3::text IS NULL OR a.kind = $3) AND ($4::bool IS NULL OR (k.alert_id IS NOT NULL) = $4)
    AND ($5::uuid IS NULL OR a.id < $5)
  ORDER BY a.id DESC LIMIT $6`)

/** What lasts too long. Raised and cleared by service notifications; how long is too long: settings, and station switches. */
export function alertRoutes(app: Api, { database }: RouteContext): void {
  const { prisma } = database

  app.get(
    '/v1/alerts',
    {
      schema: {
        tags,
        summary: 'List alerts, newest first',
        description:
          'The same as events: `busbar.alert.raised.v1` and `busbar.alert.cleared.v1`. The switches alertOfflineMinutes, alertFaultedMinutes, alertSilentIntervals, alertStuckHours and alertRefusedAttempts of a station overrule the settings of the deployment.',
        querystring: listQuery,
        response: { 200: pageOf(Alert) },
      },
    },
    async ({ query: { limit, cursor, open = null, station = null, acknowledged = null, kind = null } }) => {
      const before = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await database.query<JoinedRow>(
        selectAlerts(open, station, kind, acknowledged, before?.[0] ?? null, limit + 1),
      )
      return toPage(
        rows,
        limit,
        (row) => toAlert(row, row),
        ({ id }) => [id],
      )
    },
  )

  app.get(
    '/v1/alerts/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read an alert', params: idParams, response: { 200: Alert } },
    },
    async ({ params: { id } }) => {
      const row = found(await prisma.alert.findUnique({ where: { id } }), 'alert')
      return toAlert(row, await prisma.alertAcknowledgement.findUnique({ where: { alertId: id } }))
    },
  )

  app.post(
    '/v1/alerts/:id/acknowledge',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Say that an alert is seen to',
        description: 'It stays open until what it tells of is over.',
        params: idParams,
        body: Acknowledgement,
        response: { 200: Alert },
      },
    },
    async (request) => {
      const { id } = request.params
      const caller = callerOf(request)
      const row = found(await prisma.alert.findUnique({ where: { id } }), 'alert')
      const { note = null } = request.body
      const data = { alertId: id, acknowledgedBy: actorOf(caller), note, acknowledgedAt: new Date() }
      if (await prisma.alertAcknowledgement.findUnique({ where: { alertId: id } })) {
        throw new ProblemError(409, 'The alert is acknowledged already.')
      }
      const [mark] = await prisma.$transaction([
        prisma.alertAcknowledgement.create({ data }),
        prisma.auditEntry.create({ data: audited(caller, 'alert.acknowledge', id, request.body) }),
      ])
      return toAlert(row, mark)
    },
  )
}

function toAlert(row: AlertRow, mark: Mark | null): z.infer<typeof Alert> {
  const { id, stationId, subject, details } = row
  const { acknowledgedBy = null, acknowledgedAt = null, note = null } = mark ?? {}
  return {
    id,
    stationId,
    subject,
    details,
    kind: kind.parse(row.kind),
    severity: Alert.shape.severity.parse(row.severity),
    since: toTime(row.since),
    raisedAt: toTime(row.raisedAt),
    clearedAt: toNullableTime(row.clearedAt),
    acknowledged: acknowledgedBy && acknowledgedAt ? { by: acknowledgedBy, at: toTime(acknowledgedAt), note } : null,
  }
}
