import { askGateways, type RefusedAttempt } from '@busbar/backbone'
import type { Database } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { time } from '../schemas.js'

const RefusedAttempts = z
  .object({
    items: z.array(
      z.object({
        stationId: z.string().nullable().describe('As it called itself; null for one that got no TLS'),
        reason: z
          .string()
          .describe(
            'Of the last attempt: unknown, credentials, throttled, profile, protocol, connection-header, certificate-*, tls-*',
          ),
        address: z.string().describe('Of the last attempt'),
        count: z.int().describe('At all gateways'),
        lastAt: time,
        gateways: z.array(z.string()).describe('Where it tried, the latest first'),
      }),
    ),
    gateways: z.int().describe('How many answered'),
    silentGateways: z.int().describe('How many did not answer within 1 s: what only they know is missing'),
  })
  .meta({ id: 'RefusedAttempts' })

type Item = z.input<typeof RefusedAttempts>['items'][number]

const maxItems = 1_000

/** Callers that were turned away. Gateways keep them in memory only, so they are asked. */
export function refusedAttemptRoutes(app: Api, { backbone, database, closing }: RouteContext): void {
  app.get(
    '/v1/refused-attempts',
    {
      schema: {
        tags: ['Security'],
        summary: 'List the latest callers that were turned away',
        description:
          'The last 1,000 ids, the latest first; what several gateways know of one id is one entry. A station that came in since is off the list. A restarted gateway knows nothing of before.',
        response: { 200: RefusedAttempts },
      },
    },
    async () => {
      const { answers, asked } = await askGateways(backbone.channels, closing)
      const attempts = [...answers].flatMap(([gateway, known]) => known.map((attempt) => ({ ...attempt, gateway })))
      const items = merge(await dropThoseLetIn(database, attempts))
      return { items, gateways: answers.size, silentGateways: Math.max(0, asked - answers.size) }
    },
  )
}

type Attempt = RefusedAttempt & { gateway: string }

/** A gateway forgets who came in there; of those that came in elsewhere the books tell. */
async function dropThoseLetIn(database: Database, attempts: readonly Attempt[]): Promise<Attempt[]> {
  const ids = [...new Set(attempts.map(({ stationId }) => stationId))]
  const rows = await database.query<{ id: string; connectedAt: Date }>({
    name: 'connected_at_of_stations',
    text: `SELECT station_id AS id, connected_at AS "connectedAt" FROM station_state
           WHERE station_id = ANY($1) AND connected_at IS NOT NULL`,
    values: [ids],
  })
  const connectedAt = new Map(rows.map((row) => [row.id, row.connectedAt.toISOString()]))
  return attempts.filter(({ stationId, lastAt }) => lastAt > (connectedAt.get(stationId) ?? ''))
}

function merge(attempts: readonly Attempt[]): Item[] {
  const items = new Map<string, Item>()
  for (const attempt of attempts.toSorted((a, b) => b.lastAt.localeCompare(a.lastAt))) {
    const { stationId, reason, address, count, lastAt, gateway } = attempt
    const key = stationId === '' ? `from ${address}` : `as ${stationId}`
    const item = items.get(key)
    if (item) {
      item.count += count
      item.gateways.push(gateway)
    } else if (items.size < maxItems) {
      items.set(key, { stationId: stationId || null, reason, address, count, lastAt, gateways: [gateway] })
    }
  }
  return [...items.values()]
}
