import { Readable } from 'node:stream'
import type { Database } from '@busbar/store'
import { stringify } from 'csv-stringify/sync'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { booleanQuery } from '../schemas.js'
import { findApplied, findTransactions, transactionFilter } from './transaction-queries.js'
import { Transaction, TransactionCorrection, type TransactionRow, toTransaction } from './transaction-schemas.js'

const exportQuery = transactionFilter.extend({
  format: z.enum(['csv', 'json']).default('csv'),
  includeHeld: booleanQuery
    .default(false)
    .describe('Also those whose energy is implausible: `heldReasons` marks them and says why'),
})
type Query = z.output<typeof exportQuery>

const ExportedTransaction = Transaction.extend({
  corrections: z.array(TransactionCorrection).describe('What changed it after its end, or ended it; the first first'),
}).meta({ id: 'ExportedTransaction' })
type Exported = z.infer<typeof ExportedTransaction>

const rowsAtOnce = 1_000

/** Of the CSV, in its order. The last five tell of the latest correction. */
const columns: Readonly<Record<string, (row: Exported) => string | number | null | undefined>> = {
  id: (row) => row.id,
  stationId: (row) => row.stationId,
  evse: (row) => row.evse,
  connector: (row) => row.connector,
  ocppId: (row) => row.ocppId,
  token: (row) => row.token,
  tokenType: (row) => row.tokenType,
  tokenGroup: (row) => row.groupId,
  stopToken: (row) => row.stopToken,
  status: (row) => row.status,
  startedAt: (row) => row.startedAt,
  endedAt: (row) => row.endedAt,
  stoppedReason: (row) => row.stoppedReason,
  energyWh: (row) => row.energyWh,
  energySource: (row) => row.energySource,
  heldReasons: (row) => row.heldReasons.join('|'),
  flags: (row) => row.flags.join('|'),
  createdAt: (row) => row.createdAt,
  corrections: (row) => row.corrections.length,
  correctedAt: (row) => row.corrections.at(-1)?.at,
  correctedBy: (row) => row.corrections.at(-1)?.actor,
  correctionReason: (row) => row.corrections.at(-1)?.reason,
  energyWhBefore: (row) => row.corrections.at(-1)?.before?.energyWh,
}

const formats = {
  csv: { type: 'text/csv; charset=utf-8', write: toCsv },
  json: { type: 'application/json; charset=utf-8', write: toJson },
}

/** For billing and books elsewhere. */
export function transactionExportRoutes(app: Api, { database }: RouteContext): void {
  app.get(
    '/v1/transactions/export',
    {
      schema: {
        tags: ['Transactions'],
        summary: 'Export transactions as CSV or JSON, oldest first',
        description:
          'All that were heard of before the request, as a stream: an export of any length needs little memory, and one that breaks off ends its connection unfinished. Energy is whole Wh. In the CSV (RFC 4180, UTF-8) lists are parted by `|`, and a text that a spreadsheet would take for a formula begins with an apostrophe. Held transactions are left out unless asked for.',
        querystring: exportQuery,
        response: {
          200: {
            description: 'The transactions',
            content: {
              'text/csv': {
                schema: z.string().meta({
                  examples: [
                    'id,stationId,...,status,startedAt,endedAt,...,energyWh\r\n0190b000-...,CS-1,...,ended,2026-03-01T10:00:00.000Z,...,12500\r\n',
                  ],
                }),
              },
              'application/json': { schema: z.array(ExportedTransaction) },
            },
          },
        },
      },
    },
    async ({ query }, reply) => {
      const { type, write } = formats[query.format]
      const pages = await begin(readAll(database, query))
      reply.header('content-disposition', `attachment; filename="transactions.${query.format}"`).type(type)
      // Its type is that of the whole; it leaves in pieces.
      const untyped: FastifyReply = reply
      return untyped.send(Readable.from(write(pages), { objectMode: false }))
    },
  )
}

/** Page by page; what is heard of meanwhile is for the next export. */
async function* readAll(database: Database, { includeHeld, format: _, ...filter }: Query): AsyncGenerator<Exported[]> {
  const window = {
    held: includeHeld ? undefined : false,
    order: 'oldest first' as const,
    limit: rowsAtOnce,
  }
  const span = { ...filter, to: filter.to ?? new Date() }
  let after: [Date, string] | null = null
  for (;;) {
    const rows: TransactionRow[] = await findTransactions(database, span, { ...window, after })
    const applied = await findApplied(
      database,
      rows.map(({ id }) => id),
    )
    yield rows.map((row) => ({ ...toTransaction(row), corrections: applied.get(row.id) ?? [] }))
    const last = rows.at(-1)
    if (!last || rows.length < rowsAtOnce) return
    after = [last.createdAt, last.id]
  }
}

/** Its first page is there before the answer begins, so that a database that is away is a 503 and no empty export. */
async function begin<Page>(pages: AsyncGenerator<Page>): Promise<AsyncGenerator<Page>> {
  const first = await pages.next()
  return (async function* () {
    if (!first.done) yield first.value
    yield* pages
  })()
}

async function* toCsv(pages: AsyncIterable<Exported[]>): AsyncGenerator<string> {
  const write = (rows: unknown[][]) => stringify(rows, { record_delimiter: 'windows', escape_formulas: true })
  const cells = Object.values(columns)
  yield write([Object.keys(columns)])
  for await (const page of pages) yield write(page.map((row) => cells.map((cell) => cell(row))))
}

async function* toJson(pages: AsyncIterable<Exported[]>): AsyncGenerator<string> {
  let opening = '[\n'
  for await (const page of pages) {
    if (page.length === 0) continue
    yield opening + page.map((row) => JSON.stringify(row)).join(',\n')
    opening = ',\n'
  }
  yield opening === ',\n' ? '\n]\n' : '[]\n'
}
