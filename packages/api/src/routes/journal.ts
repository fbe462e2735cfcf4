import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { spanQuery, stationId, time, toTime } from '../schemas.js'

const direction = z.enum(['in', 'out']).describe('Seen from us')

const JournalFrame = z
  .object({
    at: time.describe('When the gateway received or sent it'),
    stationId: z.string(),
    connectionId: z.string(),
    direction,
    sequence: z.int().describe('Number of the frame on its connection'),
    protocol: z.string(),
    kind: z.string(),
    action: z.string().nullable(),
    messageId: z.string().nullable(),
    frame: z.string().describe('As it was on the wire, secrets replaced'),
    encoding: z.enum(['utf-8', 'base64']).describe('`base64` for a frame that is no text'),
    note: z.string().nullable(),
  })
  .meta({ id: 'JournalFrame' })

const listQuery = pageQuery.extend({
  station: stationId.optional(),
  ...spanQuery,
  action: z.string().max(50).optional(),
  messageId: z.string().max(255).optional(),
  direction: direction.optional(),
})

interface JournalRow extends Omit<z.infer<typeof JournalFrame>, 'at' | 'sequence' | 'frame' | 'encoding'> {
  at: Date
  sequence: bigint
  /** null once those before it fill the page. */
  frame: Buffer | null
}

/** Of frames, but for the last one: a station may send many of 4 MiB. */
const pageBytes = 4 * 1024 * 1024

const cursorKey = z.tuple([z.iso.datetime(), z.string(), z.string(), direction, z.int()])
const key = 'at, station_id, connection_id, direction, sequence'
const newestFirst = 'at DESC, station_id DESC, connection_id DESC, direction DESC, sequence DESC'

/** What stations said and what was said to them. */
export function journalRoutes(app: Api, { database }: RouteContext): void {
  app.get(
    '/v1/journal',
    {
      schema: {
        tags: ['Journal'],
        summary: 'Search the journal of frames, newest first',
        description:
          'Name a station, a message id or a narrow time: a search over everything may end with 503. A page of long frames is a short one. Heartbeats are counted, not kept.',
        querystring: listQuery,
        response: { 200: pageOf(JournalFrame) },
      },
    },
    async ({ query }) => {
      const before = parseCursor(query.cursor, cursorKey)
      const rows = await database.query<JournalRow>({
        text: `
          SELECT at, station_id AS "stationId", connection_id AS "connectionId", direction, sequence, protocol, kind,
                 action, message_id AS "messageId", note,
                 CASE WHEN sum(octet_length(frame)) OVER (ORDER BY ${newestFirst} ROWS UNBOUNDED PRECEDING) - octet_length(frame)
                   < ${pageBytes} THEN frame END AS frame
          FROM (
            SELECT * FROM journal_frame
            WHERE ($1::text IS NULL OR station_id = $1)
              AND ($2::timestamptz IS NULL OR at >= $2)
              AND ($3::timestamptz IS NULL OR at < $3)
              AND ($4::text IS NULL OR action = $4)
              AND ($5::text IS NULL OR message_id = $5)
              AND ($6::text IS NULL OR direction = $6)
              AND ($7::timestamptz IS NULL OR (${key}) < ($7, $8, $9, $10, $11::bigint))
            ORDER BY ${newestFirst} LIMIT $12) AS f
          ORDER BY ${newestFirst}`,
        values: [
          query.station ?? null,
          query.from ?? null,
          query.to ?? null,
          query.action ?? null,
          query.messageId ?? null,
          query.direction ?? null,
          ...(before ?? Array<null>(5).fill(null)),
          query.limit + 1,
        ],
      })
      const fitting = rows.findIndex(({ frame }) => frame === null)
      return toPage(rows, fitting < 0 ? query.limit : fitting, toFrame, (row) => [
        toTime(row.at),
        row.stationId,
        row.connectionId,
        row.direction,
        Number(row.sequence),
      ])
    },
  )
}

function toFrame({ at, sequence, frame, ...row }: JournalRow): z.infer<typeof JournalFrame> {
  return { ...row, at: toTime(at), sequence: Number(sequence), ...toText(frame ?? Buffer.alloc(0)) }
}

/** Bytes that JSON can carry: as text where they are one. */
export function toText(bytes: Uint8Array): { frame: string; encoding: 'utf-8' | 'base64' } {
  try {
    return { frame: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'utf-8' }
  } catch {
    return { frame: Buffer.from(bytes).toString('base64'), encoding: 'base64' }
  }
}
