import { gatewaysChannel, type RefusedAttempt, refusedChannel, type StationChannels } from '@busbar/backbone'
import { newId } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../app.js'
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
        address: z.string(),
        count: z.int(),
        lastAt: time,
        gateway: z.string(),
      }),
    ),
    gateways: z.int().describe('How many answered'),
  })
  .meta({ id: 'RefusedAttempts' })

/** A gateway that is slower is left out. */
const withinMs = 1_000

/** Callers that were turned away. Gateways keep them in memory only, so they are asked. */
export function refusedAttemptRoutes(app: Api, { backbone, closing }: RouteContext): void {
  app.get(
    '/v1/refused-attempts',
    {
      schema: {
        tags: ['Security'],
        summary: 'List the latest callers that were turned away',
        description:
          'The last 1,000 ids a gateway, the latest first. A station that came in since is off the list. A restart empties it.',
        response: { 200: RefusedAttempts },
      },
    },
    async () => {
      const answers = await askGateways(backbone.channels, closing)
      const items = [...answers].flatMap(([gateway, attempts]) =>
        attempts.map(({ stationId, ...rest }) => ({ stationId: stationId || null, ...rest, gateway })),
      )
      return { items: items.sort((a, b) => b.lastAt.localeCompare(a.lastAt)), gateways: answers.size }
    },
  )
}

async function askGateways(
  channels: StationChannels,
  closing: AbortSignal,
): Promise<ReadonlyMap<string, readonly RefusedAttempt[]>> {
  const id = newId()
  const answers = new Map<string, readonly RefusedAttempt[]>()
  let end = () => {}
  const allAnswered = new Promise<void>((resolve) => {
    end = resolve
  })
  let expected = Number.POSITIVE_INFINITY
  const unsubscribe = await channels.subscribe(refusedChannel(id), (message) => {
    if (message.kind !== 'refused-attempts') return
    answers.set(message.gatewayId, message.attempts)
    if (answers.size >= expected) end()
  })
  const timer = setTimeout(end, withinMs)
  closing.addEventListener('abort', end)
  try {
    const query = { kind: 'refused-query', id } as const
    const [receivers = 0] = await channels.publish([{ channel: gatewaysChannel, message: query }])
    expected = receivers
    if (answers.size < expected && !closing.aborted) await allAnswered
    return answers
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', end)
    await unsubscribe()
  }
}
