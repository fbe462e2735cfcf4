import { type ChargingTransaction, readReadings } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found } from '../problems.js'
import { booleanQuery, idParams, toTime } from '../schemas.js'
import { findCorrections, findTransactions, transactionFilter } from './transaction-queries.js'
import {
  measuredEnergyOf,
  Reading,
  Step,
  Transaction,
  TransactionDetail,
  toReading,
  toStep,
  toTransaction,
} from './transaction-schemas.js'

const listQuery = transactionFilter.extend({ ...pageQuery.shape, held: booleanQuery.optional() })

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
    async ({ query: { limit, cursor, held, ...filter } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const rows = await findTransactions(database, filter, {
        held,
        order: 'newest first',
        after: before && [new Date(before[0]), before[1]],
        limit: limit + 1,
      })
      return toPage(rows, limit, toTransaction, (row) => [toTime(row.createdAt), row.id])
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
      const [transaction, aliases, corrections] = await Promise.all([
        prisma.chargingTransaction.findUnique({ where: { id } }),
        prisma.transactionAlias.findMany({ where: { transactionId: id }, orderBy: { ocppId: 'asc' }, take: maxIds }),
        findCorrections(database, id),
      ])
      const row = found(transaction, 'transaction')
      return {
        ...toTransaction(row),
        ocppIds: aliases.map(({ ocppId }) => ocppId).filter((ocppId) => isWireId(row, ocppId)),
        registers: row.registers,
        lastSeqNo: row.lastSeqNo,
        measuredEnergyWh: measuredEnergyOf(row),
        corrections,
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
