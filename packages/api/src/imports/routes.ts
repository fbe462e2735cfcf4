import type { FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { callerOf } from '../authenticate.js'
import { InTurn } from '../in-turn.js'
import { ProblemError } from '../problems.js'
import { booleanQuery } from '../schemas.js'
import { type FileRow, readCsv } from './csv.js'
import { type ImportKind, runImport } from './import.js'
import { ImportReport } from './report.js'
import { secrets } from './secrets.js'
import { stations } from './stations.js'
import { tokens } from './tokens.js'

const maxFileBytes = 16 * 1024 * 1024
const maxRows = 50_000

const query = z.object({
  dryRun: booleanQuery
    .default(false)
    .describe('Tries everything and takes it back; the report tells what would become of it'),
})
const stationsQuery = query.extend({
  makeSecrets: booleanQuery
    .default(false)
    .describe(
      'Give each new station of security profile 1 or 2 that comes without a password one, told in this report only',
    ),
})

const howRead =
  'A CSV (RFC 4180, UTF-8, comma or semicolon) whose first row names columns, or a JSON list of objects with the same names. ' +
  'Rows that can be imported are, together; the report says of every row what became of it, and of those refused why. ' +
  'An empty cell leaves what is there; lists are parted by `|`. The same file again changes nothing. ' +
  `At most 16 MiB and ${maxRows} rows.`

/** Many records at once, from a file. */
export function importRoutes(app: Api, context: RouteContext): void {
  app.register(async (plain) => {
    const scope = plain.withTypeProvider<ZodTypeProvider>()
    // Of this scope alone: elsewhere a CSV is no content we read.
    scope.addContentTypeParser('text/csv', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

    // Each has a connection of its own, and thousands of rows in hand.
    const turn = new InTurn()
    const importFile = async <Value, Prepared>(
      kind: ImportKind<Value, Prepared>,
      request: FastifyRequest,
      isDryRun: boolean,
    ) => runImport(kind, await readRows(kind, request.body), { isDryRun, caller: callerOf(request), turn }, context)
    const shared = { config: { problems: [409, 415, 422] }, bodyLimit: maxFileBytes }
    const documented = {
      tags: ['Imports'],
      consumes: ['text/csv', 'application/json'],
      response: { 200: ImportReport },
    }

    scope.post(
      '/v1/imports/stations',
      {
        ...shared,
        schema: {
          ...documented,
          summary: 'Import stations, their groups, tags and passwords',
          description: `${howRead} Columns: ${columnsOf(stations(false))}; \`switches\` is JSON, \`groups\` are names of station groups that exist.`,
          querystring: stationsQuery,
          body: z.unknown().meta({
            examples: [
              'id,name,groups,tags,password\r\nCS-1,By the gate,Depot North,fast|roof,\r\n',
              [{ id: 'CS-1', name: 'By the gate', groups: ['Depot North'], tags: ['fast', 'roof'] }],
            ],
          }),
        },
      },
      (request) => importFile(stations(request.query.makeSecrets), request, request.query.dryRun),
    )

    scope.post(
      '/v1/imports/secrets',
      {
        ...shared,
        schema: {
          ...documented,
          summary: 'Import passwords of stations',
          description: `${howRead} Columns: ${columnsOf(secrets)}. A row without a password gets one from Busbar, told in this report only. A password that is given is kept as a hash and never shown; hashing takes time, so at most 2,000 may be given at once.`,
          querystring: query,
          body: z.unknown().meta({
            examples: ['stationId,password\r\nCS-1,\r\n', [{ stationId: 'CS-1', password: 'sixteen characters' }]],
          }),
        },
      },
      (request) => importFile(secrets, request, request.query.dryRun),
    )

    scope.post(
      '/v1/imports/tokens',
      {
        ...shared,
        schema: {
          ...documented,
          summary: 'Import tokens',
          description: `${howRead} Columns: ${columnsOf(tokens)}. A token is known by its value, in any letter case, and type.`,
          querystring: query,
          body: z.unknown().meta({
            examples: [
              'value,type,groupId,expiresAt\r\n04A2B3C4,ISO14443,FLEET,2027-01-01T00:00:00Z\r\n',
              [{ value: '04A2B3C4', type: 'ISO14443', groupId: 'FLEET' }],
            ],
          }),
        },
      },
      (request) => importFile(tokens, request, request.query.dryRun),
    )
  })
}

const columnsOf = ({ cells }: Pick<ImportKind<unknown, unknown>, 'cells'>) => Object.keys(cells).join(', ')

async function readRows({ cells }: Pick<ImportKind<unknown, unknown>, 'cells'>, body: unknown): Promise<FileRow[]> {
  const rows = Buffer.isBuffer(body) ? await readCsv(body, cells) : readList(body)
  if (rows.length === 0) throw new ProblemError(400, 'There are no rows in this file.')
  if (rows.length > maxRows)
    throw new ProblemError(413, `These are ${rows.length} rows; import at most ${maxRows} at once.`)
  return rows
}

function readList(body: unknown): FileRow[] {
  if (!Array.isArray(body)) throw new ProblemError(400, 'The file is neither a CSV nor a JSON list.')
  return body.map((value, index) => ({ row: index + 1, value, fault: null }))
}
