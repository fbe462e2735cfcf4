import type { Prisma, Reservation as ReservationRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { nullableTime, stationId, stationParams, time, toNullableTime, toTime } from '../schemas.js'

const state = z.enum([
  'requested',
  'active',
  'used',
  'expired',
  'cancelled',
  'removed',
  'rejected',
  'failed',
  'unknown',
])

const Reservation = z
  .object({
    id: z.string().describe('Of the command that asked for it'),
    stationId: z.string(),
    reservationId: z.int().describe('As the station knows it'),
    connector: z.int().describe('0: any connector of the station'),
    token: z.string(),
    group: z.string().nullable().describe('Its other tokens may use it as well'),
    state: state.describe(
      '`removed`: the station gave it up, or holds another one under its id; `failed`: never sent, or answered with an error; `unknown`: the station has not answered',
    ),
    reason: z
      .string()
      .nullable()
      .describe('Of rejected: Faulted, Occupied, Rejected, Unavailable; of removed: Faulted, Unavailable, Replaced'),
    transactionId: z.string().nullable().describe('That used it'),
    flags: z.array(z.string()).describe('`inferred`: the transaction did not name it'),
    expiresAt: time,
    requestedAt: time,
    endedAt: nullableTime,
  })
  .meta({ id: 'Reservation' })

const listQuery = pageQuery.extend({
  state: state.optional(),
  connector: z.coerce.number().int().min(0).max(65_535).optional(),
  token: z.string().max(255).optional(),
  reservationId: z.coerce
    .number()
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1)
    .optional(),
})

const tags = ['Reservations']

export function reservationRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/reservations',
    {
      schema: {
        tags,
        summary: 'List reservations, newest first',
        querystring: listQuery.extend({ station: stationId.optional() }),
        response: { 200: pageOf(Reservation) },
      },
    },
    ({ query: { station, ...query } }) => list(query, station),
  )

  app.get(
    '/v1/stations/:id/reservations',
    {
      schema: {
        tags,
        summary: "List a station's reservations, newest first",
        params: stationParams,
        querystring: listQuery,
        response: { 200: pageOf(Reservation) },
      },
    },
    ({ params: { id }, query }) => list(query, id),
  )

  async function list({ limit, cursor, token, ...equal }: z.output<typeof listQuery>, station: string | undefined) {
    const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
    const where: Prisma.ReservationWhereInput = {
      ...(station === undefined ? {} : { stationId: station }),
      ...(token === undefined ? {} : { idTag: { equals: token, mode: 'insensitive' } }),
      ...Object.fromEntries(Object.entries(equal).filter(([, value]) => value !== undefined)),
      ...(before ? pageAfter(new Date(before[0]), before[1]) : {}),
    }
    const orderBy: Prisma.ReservationOrderByWithRelationInput[] = [{ requestedAt: 'desc' }, { id: 'desc' }]
    const rows = await prisma.reservation.findMany({ where, orderBy, take: limit + 1 })
    return toPage(rows, limit, toReservation, (row) => [toTime(row.requestedAt), row.id])
  }
}

function pageAfter(requestedAt: Date, id: string): Prisma.ReservationWhereInput {
  return {
    requestedAt: { lte: requestedAt },
    OR: [{ requestedAt: { lt: requestedAt } }, { requestedAt, id: { lt: id } }],
  }
}

function toReservation(row: ReservationRow): z.infer<typeof Reservation> {
  return {
    id: row.id,
    stationId: row.stationId,
    reservationId: row.reservationId,
    connector: row.connector,
    token: row.idTag,
    group: row.parentIdTag,
    state: state.parse(row.state),
    reason: row.reason,
    transactionId: row.transactionId,
    flags: row.flags,
    expiresAt: toTime(row.expiresAt),
    requestedAt: toTime(row.requestedAt),
    endedAt: toNullableTime(row.endedAt),
  }
}
