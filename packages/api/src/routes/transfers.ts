import { Readable } from 'node:stream'
import type { FileStore } from '@busbar/files'
import { sql } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { asAttachment } from '../files/downloads.js'
import type { Piece } from '../files/uploads.js'
import { found } from '../problems.js'
import { idParams, nullableTime, stationParams, time, toNullableTime, toTime } from '../schemas.js'

const StationFile = z.object({
  id: z.string(),
  bytes: z.number().describe('What came so far'),
  complete: z.boolean(),
  expiresAt: time.describe('Nothing is taken after it'),
  completedAt: nullableTime,
})

const Transfer = z
  .object({
    id: z.string(),
    kind: z.enum(['firmware', 'signed-firmware', 'diagnostics', 'log']),
    state: z
      .string()
      .describe(
        'requested, accepted, rejected, not-started, nothing-to-send, unknown, running, superseded, failed, succeeded; unmatched for what a station told of no request of ours',
      ),
    status: z.string().nullable().describe('What the station said last that was new'),
    history: z.array(z.object({ status: z.string(), firstAt: time, lastAt: time, count: z.int() })),
    commandId: z.string().nullable(),
    requestId: z.int().nullable().describe('The messages of plain OCPP 1.6 have none'),
    location: z.string().nullable().describe('Credentials masked'),
    fileName: z.string().nullable().describe('As the station named it'),
    file: StationFile.nullable().describe('Where it was to come to us'),
    requestedAt: time,
    updatedAt: time,
    endedAt: nullableTime,
  })
  .meta({ id: 'Transfer' })

interface TransferRow
  extends Omit<z.infer<typeof Transfer>, 'status' | 'file' | 'requestedAt' | 'updatedAt' | 'endedAt'> {
  requestedAt: Date
  updatedAt: Date
  endedAt: Date | null
  file: { id: string; bytes: number; expiresAt: string; completedAt: string | null } | null
}

const tags = ['Firmware and logs']

/** What became of each request to fetch firmware or to send a file, and the files. */
export function transferRoutes(app: Api, { database, files }: RouteContext): void {
  app.get(
    '/v1/stations/:id/transfers',
    {
      schema: {
        tags,
        summary: "List a station's firmware updates and uploads, newest first",
        params: stationParams,
        querystring: pageQuery,
        response: { 200: pageOf(Transfer) },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const rows = await database.query<TransferRow>(selectPage(id, before?.[0], before?.[1], limit + 1))
      return toPage(rows, limit, toTransfer, (row) => [toTime(row.requestedAt), row.id])
    },
  )

  app.get(
    '/v1/files/:id/content',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Download what a station sent',
        description: 'The bytes as they came, however the station called them. Do not trust them.',
        produces: ['application/octet-stream'],
        params: idParams,
        response: { 200: z.any().describe('The file') },
      },
    },
    async ({ params: { id } }, reply) => {
      const file = found(await database.prisma.stationFile.findUnique({ where: { id } }), 'file')
      return reply
        .headers({ ...asAttachment(id), 'content-length': Number(file.bytes) })
        .serializer((content: unknown) => content as string)
        .send(Readable.from(readPieces(files, file.pieces as unknown as Piece[]), { objectMode: false }))
    },
  )

  app.delete(
    '/v1/files/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete what a station sent',
        description: 'Its address takes nothing any more; the transfer stays.',
        params: idParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const [file] = await database.prisma.$transaction([
        database.prisma.stationFile.delete({ where: { id } }),
        database.prisma.auditEntry.create({ data: audited(callerOf(request), 'file.delete', id) }),
      ])
      await Promise.all((file.pieces as unknown as Piece[]).map(({ key }) => files.delete(key)))
      return reply.code(204).send(null)
    },
  )
}

const selectPage = sql(`
  SELECT t.id, t.kind, t.state, t.history, t.command_id AS "commandId", t.request_id AS "requestId", t.location,
    t.file_name AS "fileName", t.requested_at AS "requestedAt", t.updated_at AS "updatedAt", t.ended_at AS "endedAt",
    CASE WHEN f.id IS NOT NULL THEN jsonb_build_object('id', f.id, 'bytes', f.bytes, 'expiresAt', f.expires_at,
      'completedAt', f.completed_at) END AS file
  FROM transfer t LEFT JOIN station_file f ON f.command_id = t.command_id AND f.station_id = t.station_id
  WHERE t.station_id = $1 AND ($2::timestamptz IS NULL OR (t.requested_at, t.id) < ($2, $3::uuid))
  ORDER BY t.requested_at DESC, t.id DESC LIMIT $4`)

function toTransfer({ file, history, requestedAt, updatedAt, endedAt, ...row }: TransferRow): z.infer<typeof Transfer> {
  return {
    ...row,
    history,
    status: history.at(-1)?.status ?? null,
    file: file && toFile(file),
    requestedAt: toTime(requestedAt),
    updatedAt: toTime(updatedAt),
    endedAt: toNullableTime(endedAt),
  }
}

function toFile({ id, bytes, expiresAt, completedAt }: NonNullable<TransferRow['file']>) {
  const complete = completedAt !== null
  const times = { expiresAt: toTime(new Date(expiresAt)), completedAt: completedAt && toTime(new Date(completedAt)) }
  return { id, bytes, complete, ...times }
}

async function* readPieces(files: FileStore, pieces: readonly Piece[]): AsyncGenerator<Uint8Array> {
  for (const { key } of pieces) yield* await files.read(key)
}
