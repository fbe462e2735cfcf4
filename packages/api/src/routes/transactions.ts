import { type ChargingTransaction, readReadings, type TransactionReading, type TransactionStep } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found } from '../problems.js'
import { booleanQuery, idParams, nullableTime, spanQuery, stationId, time, toNullableTime, toTime } from '../schemas.js'

const status = z.enum(['active', 'ended', 'orphan'])

const Transaction = z
  .object({
    id: z.string(),
    stationId: z.string(),
    protocol: z.string(),
    ocppId: z
      .string()
      .nullable()
      .describe('What a remote stop names; null where the station never gave it a usable id'),
    evse: z.int().nullable(),
    connector: z.int().nullable(),
    token: z.string().nullable().describe('`***` for a KeyCode'),
    tokenType: z.string().nullable(),
    tokenStatus: z.string().nullable().describe('The first decision on the token that started it'),
    groupId: z.string().nullable(),
    stopToken: z.string().nullable(),
    remoteStartId: z.int().nullable(),
    reservationId: z.int().nullable(),
    status: status.describe('`orphan`: evidence without a start'),
    chargingState: z.string().nullable(),
    startedAt: nullableTime,
    endedAt: nullableTime,
    stoppedReason: z.string().nullable(),
    energyWh: z.number().nullable().describe('Null until two readings of one register are known'),
    energySource: z.string().nullable().describe('The register energyWh was taken from'),
    heldReasons: z.array(z.string()).describe('Why it is implausible; such a transaction is not exported'),
    flags: z.array(z.string()),
    createdAt: time.describe('When we first heard of it'),
    updatedAt: time,
  })
  .meta({ id: 'Transaction' })

const Step = z
  .object({
    kind: z.string(),
    seqNo: z.int().nullable(),
    triggerReason: z.string().nullable(),
    chargingState: z.string().nullable(),
    offline: z.boolean(),
    at: time.describe("The station's time"),
    receivedAt: time,
    payload: z.unknown().describe('As the station sent it, without meter values: these are readings'),
    decided: z.unknown().describe('idTokenInfo or idTagInfo we answered; null for a step without a token'),
    flags: z.array(z.string()),
  })
  .meta({ id: 'TransactionStep' })

const TransactionDetail = Transaction.extend({
  ocppIds: z.array(z.string()).describe('Every id the station knows it by'),
  registers: z.unknown().describe('Earliest and latest reading of each register, exact'),
  lastSeqNo: z.int().nullable(),
}).meta({ id: 'TransactionDetail' })

const Reading = z
  .object({
    sampledAt: time,
    receivedAt: time,
    evse: z.int(),
    connector: z.int(),
    samples: z.unknown().describe('The sampledValue array as sent'),
  })
  .meta({ id: 'Reading' })

const listQuery = pageQuery.extend({
  station: stationId.optional(),
  token: z.string().max(255).optional(),
  status: status.optional(),
  held: booleanQuery.optional(),
  from: spanQuery.from.describe('Heard of at or after'),
  to: spanQuery.to.describe('Heard of before'),
})

const tags = ['Transactions']

/** A broken station may draw ever new ones. */
const maxIds = 1_000

/** The Stop of 1.6 that named no usable id is found by its own key, which no station knows. */
const isWireId = ({ protocol }: ChargingTransaction, ocppId: string) =>
  protocol !== 'ocpp1.6' || !ocppId.startsWith('stop|')

export function transactionRoutes(app: Api, { database }: RouteContext): void {
  const { prisma } = database
  app.get(
    '/v1/transactions',
    {
      schema: {
        tags,
        summary: 'List transactions, newest first',
        querystring: listQuery,
        response: { 200: pageOf(Transaction) },
      },
    },
    async ({ query }) => {
      const before = parseCursor(query.cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const createdAt = before && new Date(before[0])
      const rows = await prisma.chargingTransaction.findMany({
        where: {
          ...(query.station === undefined ? {} : { stationId: query.station }),
          ...(query.token === undefined ? {} : { tokenValue: { equals: query.token, mode: 'insensitive' } }),
          ...(query.status === undefined ? {} : { status: query.status }),
          ...(query.held === undefined ? {} : { heldReasons: { isEmpty: !query.held } }),
          AND: [
            query.from ? { createdAt: { gte: query.from } } : {},
            query.to ? { createdAt: { lt: query.to } } : {},
            before && createdAt ? { createdAt: { lte: createdAt } } : {},
            before && createdAt ? { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: before[1] } }] } : {},
          ],
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: query.limit + 1,
      })
      return toPage(rows, query.limit, toTransaction, (row) => [toTime(row.createdAt), row.id])
    },
  )

  app.get(
    '/v1/transactions/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Read a transaction with its ids and registers',
        params: idParams,
        response: { 200: TransactionDetail },
      },
    },
    async ({ params: { id } }) => {
      const [transaction, aliases] = await Promise.all([
        prisma.chargingTransaction.findUnique({ where: { id } }),
        prisma.transactionAlias.findMany({ where: { transactionId: id }, orderBy: { ocppId: 'asc' }, take: maxIds }),
      ])
      const row = found(transaction, 'transaction')
      return {
        ...toTransaction(row),
        ocppIds: aliases.map(({ ocppId }) => ocppId).filter((ocppId) => isWireId(row, ocppId)),
        registers: row.registers,
        lastSeqNo: row.lastSeqNo,
      }
    },
  )

  app.get(
    '/v1/transactions/:id/steps',
    {
      schema: {
        tags,
        summary: 'List what the station told of a transaction, in its order',
        params: idParams,
        querystring: pageQuery,
        response: { 200: pageOf(Step) },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.string()]))
      const rows = await prisma.transactionStep.findMany({
        where: { transactionId: id, ...(after && { stepKey: { gt: after[0] } }) },
        // Keys sort as the steps happened.
        orderBy: { stepKey: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toStep, ({ stepKey }) => [stepKey])
    },
  )

  app.get(
    '/v1/transactions/:id/readings',
    {
      schema: {
        tags,
        summary: "List a transaction's meter readings by the station's time",
        params: idParams,
        querystring: pageQuery,
        response: { 200: pageOf(Reading) },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const place = parseCursor(cursor, z.tuple([z.iso.datetime(), z.string()]))
      const after = place && { sampledAt: new Date(place[0]), contentKey: place[1] }
      const rows = await readReadings(database, id, { after: after ?? null, limit: limit + 1 })
      return toPage(rows, limit, toReading, (row) => [toTime(row.sampledAt), row.contentKey])
    },
  )
}

function toTransaction(row: ChargingTransaction): z.infer<typeof Transaction> {
  return {
    id: row.id,
    stationId: row.stationId,
    protocol: row.protocol,
    ocppId: row.ocppId,
    evse: row.evseNumber,
    connector: row.connectorNumber,
    token: row.tokenValue,
    tokenType: row.tokenType,
    tokenStatus: row.tokenStatus,
    groupId: row.groupId,
    stopToken: row.stopTokenValue,
    remoteStartId: row.remoteStartId,
    reservationId: row.reservationId,
    status: status.parse(row.status),
    chargingState: row.chargingState,
    startedAt: toNullableTime(row.startedAt),
    endedAt: toNullableTime(row.endedAt),
    stoppedReason: row.stoppedReason,
    energyWh: row.energyWh === null ? null : Number(row.energyWh),
    energySource: row.energySource,
    heldReasons: row.heldReasons,
    flags: row.flags,
    createdAt: toTime(row.createdAt),
    updatedAt: toTime(row.updatedAt),
  }
}

function toStep(row: TransactionStep): z.infer<typeof Step> {
  return {
    kind: row.kind,
    seqNo: row.seqNo,
    triggerReason: row.triggerReason,
    chargingState: row.chargingState,
    offline: row.offline,
    at: toTime(row.at),
    receivedAt: toTime(row.receivedAt),
    payload: row.payload,
    decided: row.decided,
    flags: row.flags,
  }
}

function toReading(row: TransactionReading): z.infer<typeof Reading> {
  return {
    sampledAt: toTime(row.sampledAt),
    receivedAt: toTime(row.receivedAt),
    evse: row.evseNumber,
    connector: row.connectorNumber,
    samples: row.samples,
  }
}
