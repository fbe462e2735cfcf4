import type { Readable } from 'node:stream'
import { type FileStore, FileTooLargeError } from '@busbar/files'
import { type Database, newId, sql } from '@busbar/store'
import multipart from '@fastify/multipart'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { ProblemError } from '../problems.js'
import { Body } from './body.js'
import { parseContentRange } from './ranges.js'

/** Some stations put the name of the file behind the address they were given. */
const paths = ['/files/uploads/:id/:permit', '/files/uploads/:id/:permit/*']
const params = z.object({ id: z.string(), permit: z.string() })

/**
 * Takes diagnostics and logs from stations: PUT or POST of the bytes, or of a form with a file in it. The address is good for
 * one file. What breaks off may go on: `HEAD` says in `Range` what is there, a PUT with `Content-Range` goes on behind it, one
 * without begins anew.
 */
export function uploadRoutes(app: Api, context: RouteContext): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    await scope.register(multipart, { limits: { files: 1, fileSize: context.config.maxUploadBytes + 1 } })
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const url of paths) {
      scope.head(url, { schema: { hide: true, params } }, async (request, reply) => {
        const file = await findOpen(context, request.params as Params)
        return reply.headers(rangeOf(file.bytes)).send()
      })
      scope.route({
        method: ['PUT', 'POST'],
        url,
        config: { takesFile: true },
        schema: { hide: true, params },
        handler: async (request, reply) => {
          // An answer before the end of the body: what is still coming belongs to no request.
          reply.header('connection', 'close')
          const file = await findOpen(context, request.params as Params)
          return take(context, file, request, reply)
        },
      })
    }
  })
}

type Params = z.infer<typeof params>

/** One row of table station_file, as far as an upload goes. */
interface OpenFile {
  id: string
  bytes: number
  pieces: Piece[]
}

/** Of a file that came in several requests. */
export interface Piece {
  key: string
  bytes: number
}

/** Each is an object in the store, and an entry in the row. */
const maxPieces = 500

const select = sql(`SELECT id, bytes::float8 AS bytes, pieces, completed_at AS "completedAt", expires_at AS "expiresAt"
  FROM station_file WHERE id = $1::uuid`)

/** @throws ProblemError 403 for an address that is none or is over, 410 for one that was used */
async function findOpen({ addresses, database }: RouteContext, { id, permit }: Params): Promise<OpenFile> {
  const refused = new ProblemError(403, 'This address is not one of ours, or its time is over.')
  if (!addresses.isUpload(id, permit)) throw refused
  const [file] = await database.query<OpenFile & { completedAt: Date | null; expiresAt: Date }>(select(id))
  if (!file || file.expiresAt <= new Date()) throw refused
  if (file.completedAt) throw new ProblemError(410, 'This address was good for one file, which is there.')
  return file
}

async function take(
  { files, database, config, log }: RouteContext,
  file: OpenFile,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const range = readRange(request, file, config.maxUploadBytes)
  const offset = range?.first ?? 0
  const maxBytes = range ? range.last - range.first + 1 : config.maxUploadBytes
  const content = request.isMultipart() ? new Whole(await findPart(request)) : new Body(request.raw)
  const key = `uploads/${file.id}/${newId()}`
  const { bytes } = await store(files, key, content, maxBytes)

  const isComplete = content.isWhole && bytes > 0 && (range ? offset + bytes === range.total : true)
  const pieces = range ? [...file.pieces, { key, bytes }] : [{ key, bytes }]
  const contentType = request.headers['content-type'] ?? null
  const isKept = bytes > 0 && (await save(database, file, { pieces, bytes: offset + bytes, contentType, isComplete }))
  const unused = isKept ? (range ? [] : file.pieces) : [{ key, bytes }]
  await Promise.all(unused.map((piece) => files.delete(piece.key)))
  if (bytes === 0) throw new ProblemError(400, 'There is nothing in this request.')
  if (!isKept) throw new ProblemError(409, 'Another request brought this file in the meantime.')
  log.info({ fileId: file.id, bytes: offset + bytes, isComplete }, 'a station sent a file')
  return reply
    .code(isComplete ? 201 : 202)
    .headers(rangeOf(offset + bytes))
    .send()
}

/** Where it belongs must be where the last piece ended. @throws ProblemError 400, 409 or 413 */
function readRange(request: FastifyRequest, { bytes, pieces }: OpenFile, maxBytes: number) {
  const range = parseContentRange(request.headers['content-range'])
  const length = Number(request.headers['content-length'] ?? 0)
  const isWrongLength = range && range !== 'invalid' && length > 0 && length !== range.last - range.first + 1
  if (range === 'invalid' || isWrongLength) throw new ProblemError(400, 'The Content-Range does not fit this request.')
  if ((range ? (range.total ?? range.last) : length) > maxBytes) throw tooLarge(maxBytes)
  if (range && pieces.length >= maxPieces) throw new ProblemError(413, 'These are too many pieces; begin anew.')
  if (range && range.first !== bytes) {
    throw new ProblemError(409, `${bytes} bytes are there; go on behind them.`, { headers: rangeOf(bytes) })
  }
  return range
}

async function store(files: FileStore, key: string, content: AsyncIterable<Uint8Array>, maxBytes: number) {
  try {
    return await files.put(key, content, { maxBytes })
  } catch (cause) {
    throw cause instanceof FileTooLargeError ? tooLarge(maxBytes) : cause
  }
}

/** A form is taken whole or not at all. */
class Whole implements AsyncIterable<Uint8Array> {
  readonly isWhole = true
  readonly #source: Readable

  constructor(source: Readable) {
    this.#source = source
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#source[Symbol.asyncIterator]()
  }
}

async function findPart(request: FastifyRequest): Promise<Readable> {
  const part = await request.file()
  if (!part) throw new ProblemError(400, 'There is no file in this form.')
  return part.file
}

interface Received {
  pieces: Piece[]
  bytes: number
  contentType: string | null
  isComplete: boolean
}

const update = sql(`UPDATE station_file SET pieces = $3::jsonb, bytes = $4, content_type = $5,
    completed_at = CASE WHEN $6::bool THEN now() END
  WHERE id = $1::uuid AND pieces = $2::jsonb AND completed_at IS NULL RETURNING id`)

/** @returns false when another request came first */
async function save(database: Database, before: OpenFile, received: Received): Promise<boolean> {
  const { pieces, bytes, contentType, isComplete } = received
  const values = [before.id, JSON.stringify(before.pieces), JSON.stringify(pieces), bytes, contentType, isComplete]
  return (await database.query(update(...values))).length === 1
}

const rangeOf = (bytes: number): Record<string, string> => (bytes > 0 ? { range: `bytes=0-${bytes - 1}` } : {})
const tooLarge = (maxBytes: number) => new ProblemError(413, `No more than ${maxBytes} bytes are taken.`)
