import { askGateways, type RefusedAttempt } from '@busbar/backbone'
import type { Database } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { callerOf } from '../authenticate.js'
import { notFound, ProblemError } from '../problems.js'
import { stationParams, time } from '../schemas.js'
import { RegisteredStation, registerStation } from './register-station.js'
import { StationDraft } from './station-schemas.js'

const RefusedAttempts = z
  .object({
    items: z.array(
      z.object({
        stationId: z
          .string()
          .nullable()
          .describe('As it is registered, else as it called itself; null for one that got no TLS'),
        reason: z
          .string()
          .describe(
            'Of the last attempt that was looked at: unknown, credentials, profile, protocol, connection-header, certificate-*, tls-*; throttled where none is known',
          ),
        address: z.string().describe('Of the last attempt'),
        registered: z.boolean().describe('Whether there is a station of this id; one that is not can be registered'),
        count: z.int().describe('At all gateways'),
        lastAt: time,
        gateways: z.array(z.string()).describe('Where it tried, the latest first'),
      }),
    ),
    gateways: z.int().describe('How many answered'),
    silentGateways: z.int().describe('How many did not answer within 1 s: what only they know is missing'),
  })
  .meta({ id: 'RefusedAttempts' })

const Registration = StationDraft.omit({ id: true }).meta({
  examples: [{ name: 'By the gate', password: 'what the station sends already' }],
})

type Item = z.input<typeof RefusedAttempts>['items'][number]

const maxItems = 1_000

/** Callers that were turned away. Gateways keep them in memory only, so they are asked. */
export function refusedAttemptRoutes(app: Api, context: RouteContext): void {
  const { backbone, database, closing } = context
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
      const items = merge(await markRegistered(database, await dropThoseLetIn(database, attempts)))
      return { items, gateways: answers.size, silentGateways: Math.max(0, asked - answers.size) }
    },
  )

  app.post(
    '/v1/refused-attempts/:id/register',
    {
      config: { problems: [404, 409, 422] },
      schema: {
        tags: ['Security'],
        summary: 'Register a caller that was turned away as a station',
        description:
          'As `POST /v1/stations`, for an id that is on the list, so that it is spelled as the station spells it. Give the password that the station sends already, or bring it the one that is made and shown in this answer only. It gets in the next time it tries; after many refusals it may have to wait for a minute. 404 for an id that no gateway has turned away, 503 when a gateway that might know it gave no answer.',
        params: stationParams,
        body: Registration,
        response: { 201: RegisteredStation },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const { answers, asked } = await askGateways(backbone.channels, closing)
      const isKnown = [...answers.values()].some((known) => known.some(({ stationId }) => stationId === id))
      if (!isKnown && answers.size < asked) {
        const headers = { 'retry-after': '5' }
        throw new ProblemError(503, 'A gateway that might know this caller gave no answer.', { headers })
      }
      if (!isKnown) throw notFound('refused attempt')
      return reply.code(201).send(await registerStation(context, callerOf(request), { ...request.body, id }))
    },
  )
}

type Attempt = RefusedAttempt & { gateway: string }
type KnownAttempt = Attempt & { registered: boolean }

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

async function markRegistered(database: Database, attempts: readonly Attempt[]): Promise<KnownAttempt[]> {
  const ids = [...new Set(attempts.map(({ stationId }) => stationId))]
  const rows = await database.query<{ id: string }>({
    name: 'stations_of_ids',
    text: 'SELECT id FROM station WHERE id = ANY($1)',
    values: [ids],
  })
  const known = new Set(rows.map(({ id }) => id))
  return attempts.map((attempt) => ({ ...attempt, registered: known.has(attempt.stationId) }))
}

function merge(attempts: readonly KnownAttempt[]): Item[] {
  const items = new Map<string, Item>()
  for (const attempt of attempts.toSorted((a, b) => b.lastAt.localeCompare(a.lastAt))) {
    const { stationId, reason, address, registered, count, lastAt, gateway } = attempt
    const key = stationId === '' ? `from ${address}` : `as ${stationId}`
    const item = items.get(key)
    if (item) {
      item.count += count
      item.gateways.push(gateway)
    } else if (items.size < maxItems) {
      const gateways = [gateway]
      items.set(key, { stationId: stationId || null, reason, address, registered, count, lastAt, gateways })
    }
  }
  return [...items.values()]
}
