import { type Payload, sentProfile16 } from '@busbar/ocpp'
import type { ChargingProfile as ChargingProfileRow, Prisma } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { nullableTime, stationParams, time, toNullableTime, toTime } from '../schemas.js'
import { getProtocol } from '../send-command.js'
import { reckonSchedule } from './composite-schedule.js'

const state = z.enum([
  'requested',
  'unknown',
  'failed',
  'rejected',
  'pending',
  'active',
  'replaced',
  'cleared',
  'ended',
  'expired',
])

const ChargingProfile = z
  .object({
    commandId: z.string().describe('Of the command that carried it'),
    action: z.string().describe('SetChargingProfile, or RemoteStartTransaction'),
    state: state.describe(
      '`pending`: accepted with a remote start whose transaction has not begun; `active`: with the station; `ended`: with its transaction',
    ),
    connector: z.int().nullable().describe('0: the station; null: a remote start left the choice to it'),
    profileId: z.int(),
    purpose: z.string(),
    stackLevel: z.int(),
    transactionId: z.string().nullable().describe("Busbar's id of the transaction it belongs to"),
    profile: z.unknown().describe('As it was sent'),
    requestedBy: z.string().describe('Id of an API key, or a service'),
    requestedAt: time,
    answeredAt: nullableTime,
    settledAt: nullableTime.describe('When that was asked, or happened, which ended it; null while it is open'),
  })
  .meta({ id: 'ChargingProfile' })

const rateUnit = z.enum(['A', 'W'])
const period = z.object({
  start: z.int().describe('Seconds from the start of the schedule'),
  limit: z.number().nullable().describe('null: no profile limits it'),
  phases: z.int().nullable(),
})

const CompositeSchedule = z
  .object({
    connector: z.int(),
    transactionId: z.string().nullable().describe('That was reckoned with; null: as if one began now'),
    start: time,
    durationSeconds: z.int(),
    unit: rateUnit,
    periods: z.array(period).describe("Reckoned from the station's active profiles"),
    station: z
      .looseObject({
        answeredAt: time,
        asked: z.unknown().describe('GetCompositeSchedule.req'),
        status: z.string().describe('Accepted or Rejected; this and the rest as in GetCompositeSchedule.conf'),
      })
      .nullable()
      .describe("The station's own last answer; `POST .../composite-schedule/read` asks for a new one"),
  })
  .meta({ id: 'CompositeSchedule' })

const listQuery = pageQuery.extend({ state: state.optional() })

const scheduleQuery = z.object({
  connector: z.coerce.number().int().min(0).max(65_535).describe('0: what the station as a whole may take'),
  durationSeconds: z.coerce.number().int().min(1).max(604_800).default(86_400),
  unit: rateUnit.optional().describe('Default: that of the active profiles; A where they differ or there are none'),
})

const tags = ['Smart charging']

export function smartChargingRoutes(app: Api, context: RouteContext): void {
  const { database } = context

  app.get(
    '/v1/stations/:id/charging-profiles',
    {
      schema: {
        tags,
        summary: "List a station's charging profiles, newest first",
        params: stationParams,
        querystring: listQuery,
        response: { 200: pageOf(ChargingProfile) },
      },
    },
    async ({ params: { id: stationId }, query }) => {
      const before = parseCursor(query.cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const older = (requestedAt: string, commandId: string): Prisma.ChargingProfileWhereInput => ({
        OR: [{ requestedAt: { lt: requestedAt } }, { requestedAt, commandId: { lt: commandId } }],
      })
      const rows = await database.prisma.chargingProfile.findMany({
        where: { stationId, ...(query.state && { status: query.state }), ...(before && older(...before)) },
        orderBy: [{ requestedAt: 'desc' }, { commandId: 'desc' }],
        take: query.limit + 1,
      })
      return toPage(rows, query.limit, toItem, ({ requestedAt, commandId }) => [toTime(requestedAt), commandId])
    },
  )

  app.get(
    '/v1/stations/:id/composite-schedule',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Read what a connector may take from now on, by our reckoning and by the station',
        description:
          'The least of the ChargePointMaxProfile and of the TxProfile, or the TxDefaultProfile where there is none. For connector 0: no more than all connectors together. Amperes and watts are converted with 230 V and the fewest phases of the periods that hold at once, 3 where they give none.',
        params: stationParams,
        querystring: scheduleQuery,
        response: { 200: CompositeSchedule },
      },
    },
    async ({ params: { id: stationId }, query: { connector, durationSeconds, unit } }) => {
      await getProtocol(context, stationId)
      const from = new Date()
      const [reckoned, reported] = await Promise.all([
        reckonSchedule(database, { stationId, connector, from, durationSeconds, unit }),
        database.prisma.reportedSchedule.findUnique({ where: { stationId_connector: { stationId, connector } } }),
      ])
      return {
        ...{ connector, start: toTime(from), durationSeconds },
        ...reckoned,
        station: reported && {
          ...(reported.response as { status: string }),
          answeredAt: toTime(reported.answeredAt),
          asked: reported.sent,
        },
      }
    },
  )
}

function toItem(row: ChargingProfileRow): z.infer<typeof ChargingProfile> {
  const sent = row.sent as Payload
  const profile = sentProfile16(row.action, sent)
  return {
    commandId: row.commandId,
    action: row.action,
    state: row.status as z.infer<typeof state>,
    connector: typeof sent.connectorId === 'number' ? sent.connectorId : null,
    profileId: profile.chargingProfileId,
    purpose: profile.chargingProfilePurpose,
    stackLevel: profile.stackLevel,
    transactionId: row.transactionId,
    profile,
    requestedBy: row.requestedBy,
    requestedAt: toTime(row.requestedAt),
    answeredAt: toNullableTime(row.answeredAt),
    settledAt: toNullableTime(row.settledAt),
  }
}
