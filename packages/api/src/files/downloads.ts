import { sql } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { found, ProblemError } from '../problems.js'
import { parseRange } from './ranges.js'

const params = z.object({ id: z.string(), permit: z.string(), fileName: z.string() })

const select = sql('SELECT bytes::float8 AS bytes, sha256 FROM firmware_image WHERE id = $1::uuid')

/** Gives firmware to stations, a part of it where they go on after a break. */
export function downloadRoutes(app: Api, { addresses, database, files }: RouteContext): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/files/firmware/:id/:permit/:fileName',
    schema: { hide: true, params },
    handler: async (request, reply) => {
      const { id, permit, fileName } = request.params
      if (!addresses.isFirmware(id, permit, fileName, new Date())) {
        throw new ProblemError(403, 'This address is not one of ours, or its time is over.')
      }
      const [row] = await database.query<{ bytes: number; sha256: string }>(select(id))
      const { bytes, sha256 } = found(row, 'firmware')
      const etag = `"${sha256}"`
      const condition = request.headers['if-range']
      const range = condition && condition !== etag ? null : parseRange(request.headers.range, bytes)
      if (range === 'unsatisfiable') {
        const headers = { 'content-range': `bytes */${bytes}` }
        throw new ProblemError(416, `The file has ${bytes} bytes.`, { headers })
      }
      const length = range ? range.last - range.first + 1 : bytes
      reply
        .code(range ? 206 : 200)
        .headers({ ...asAttachment(fileName), 'content-length': length, 'accept-ranges': 'bytes', etag })
      if (range) reply.header('content-range', `bytes ${range.first}-${range.last}/${bytes}`)
      return reply.send(request.method === 'HEAD' ? null : await files.read(`firmware/${id}`, range ?? undefined))
    },
  })
}

/** What came from outside is shown by no browser. */
export function asAttachment(fileName: string): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${fileName.replace(/[^A-Za-z0-9._-]/g, '_')}"`,
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-store',
  }
}
