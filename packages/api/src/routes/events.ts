import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { callerOf, findBearer, findCaller } from '../authenticate.js'
import { found, ProblemError } from '../problems.js'
import { stationId, text } from '../schemas.js'

const eventsQuery = z.object({
  station: stationId.optional(),
  group: z.uuid().optional().describe('Events of the stations in this group, as it is from moment to moment'),
  type: text(500).optional().describe('One or more, comma between: `transaction.started,transaction.ended`'),
})

const eventsHeaders = z.looseObject({
  'last-event-id': z.string().optional().describe('The id of the last event seen: goes on after it'),
})

/** Live events, for consoles and integrations that do not read Kafka. */
export function eventRoutes(app: Api, { database: { prisma }, events, authorities }: RouteContext): void {
  /** @throws ProblemError 404 for a group that is not there */
  async function findMembers(id: string): Promise<ReadonlySet<string>> {
    const group = await prisma.stationGroup.findUnique({ where: { id }, select: { members: true } })
    return new Set(found(group, 'station group').members.map(({ stationId }) => stationId))
  }

  app.get(
    '/v1/events',
    {
      config: { problems: [404] },
      schema: {
        tags: ['Events'],
        summary: 'Follow events as they happen (server-sent events)',
        description:
          'Each message is a CloudEvent 1.0; drop repeated ids. A client that comes back with an id too old gets one `reset` event: read again what you show, then go on.',
        querystring: eventsQuery,
        headers: eventsHeaders,
        response: {
          200: { description: 'A stream without end', content: { 'text/event-stream': { schema: z.string() } } },
        },
      },
    },
    async (request, reply) => {
      const { station, group, type } = request.query
      const members = group === undefined ? null : await findMembers(group)
      if (events.isFull) {
        throw new ProblemError(503, 'Too many clients follow events.', { headers: { 'retry-after': '30' } })
      }
      const stations = { members }
      const key = findBearer(request) ?? ''
      const { expiresAt } = callerOf(request)
      reply.hijack()
      const { raw } = reply
      const { socket } = request.raw
      // It hung up while it was looked up: that was told to nobody, and will not be told again.
      if (socket.destroyed) return
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value)
      raw.setHeader('content-type', 'text/event-stream; charset=utf-8')
      raw.setHeader('cache-control', 'no-store')
      raw.setHeader('x-accel-buffering', 'no')
      raw.flushHeaders()
      const leave = events.serve({
        sink: {
          write: (frame) => raw.write(frame),
          onDrain: (resume) => raw.once('drain', resume),
          end: () => raw.end(),
          destroy: () => raw.destroy(),
        },
        filter: {
          isWanted: (id) => (station ?? id) === id && (stations.members?.has(id) ?? true),
          types: type?.split(',').map((each) => each.trim()),
        },
        lastEventId: request.headers['last-event-id'] ?? null,
        mayStay: async () => {
          if (expiresAt && expiresAt <= new Date()) return false
          if (group !== undefined) stations.members = await findMembers(group).catch(() => stations.members)
          // While the database is away nobody's key was revoked either.
          return findCaller(authorities, key).then(
            (caller) => caller !== null,
            () => true,
          )
        },
      })
      socket.once('close', leave)
    },
  )
}
