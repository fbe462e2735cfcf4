import type { ApiKey as ApiKeyRow } from '@busbar/store'
import { z } from 'zod'
import { roles } from '../access.js'
import type { Api, RouteContext } from '../api.js'
import { createApiKey, revokeApiKey } from '../api-keys.js'
import { actorOf } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { notFound } from '../problems.js'
import { idParams, nullableTime, text, time, timeInput, toNullableTime, toTime } from '../schemas.js'

const ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    owner: z
      .string()
      .describe(
        'The person or program behind it: whoever made it with a token or key; none approves its own bulk command',
      ),
    isLimited: z.boolean(),
    role: z.enum(roles),
    createdAt: time,
    expiresAt: nullableTime,
    revokedAt: nullableTime,
  })
  .meta({ id: 'ApiKey' })

const ApiKeyDraft = z.strictObject({
  name: text(100),
  role: z.enum(roles),
  expiresAt: timeInput.nullable().optional(),
  isLimited: z
    .boolean()
    .default(false)
    .describe(
      'For a key in the hands of a person: it may switch, command by command, no more stations a minute than one with a token; a program is bounded by its rate of requests',
    ),
})

const CreatedApiKey = z.object({ id: z.string(), key: z.string().describe('Shown this once') })

const tags = ['API keys']

export function apiKeyRoutes(app: Api, { database, authorities: { keys } }: RouteContext): void {
  const { prisma } = database

  app.get(
    '/v1/api-keys',
    { schema: { tags, summary: 'List API keys', querystring: pageQuery, response: { 200: pageOf(ApiKey) } } },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.apiKey.findMany({
        where: after ? { id: { gt: after[0] } } : {},
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toApiKey, ({ id }) => [id])
    },
  )

  app.post(
    '/v1/api-keys',
    {
      schema: {
        tags,
        summary: 'Create an API key',
        description:
          'It belongs to whoever makes it, and so do the keys that are made with it. One for another person, who approves bulk commands, is made on the command line: `busbar keys create <name>`.',
        body: ApiKeyDraft,
        response: { 201: CreatedApiKey },
      },
    },
    async (request, reply) => {
      const { name, role, isLimited, expiresAt = null } = request.body
      const caller = callerOf(request)
      const draft = { name, role, isLimited, expiresAt, owner: caller.owner, actor: actorOf(caller) }
      const created = await createApiKey(database, draft)
      return reply.code(201).send(created)
    },
  )

  app.delete(
    '/v1/api-keys/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Revoke an API key',
        description: 'Other API processes may take it for a few seconds more.',
        params: idParams,
        response: { 204: z.undefined().describe('Revoked') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (!(await revokeApiKey(database, { id, actor: actorOf(callerOf(request)) }))) throw notFound('API key in force')
      keys.forgetAll()
      return reply.code(204).send(undefined)
    },
  )
}

function toApiKey({
  id,
  name,
  owner,
  isLimited,
  role,
  createdAt,
  expiresAt,
  revokedAt,
}: ApiKeyRow): z.infer<typeof ApiKey> {
  return {
    id,
    name,
    owner,
    isLimited,
    role: z.enum(roles).parse(role),
    createdAt: toTime(createdAt),
    expiresAt: toNullableTime(expiresAt),
    revokedAt: toNullableTime(revokedAt),
  }
}
