import type { TokenGroup as TokenGroupRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { asPrisma } from '../as-prisma.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { listSyncJobs } from '../list-sync.js'
import { found } from '../problems.js'
import { defined, text, time, toTime } from '../schemas.js'

/** OCPP 2.0.1 identifierString, at most 36 characters; the rest of printable ASCII would not reach a station. */
const groupId = z
  .string()
  .regex(/^[a-zA-Z0-9*\-_=:+|@.]{1,36}$/, '1 to 36 of letters, digits and *-_=:+|@.')
  .describe('As stations see it: parentIdTag, groupIdToken')

const changeable = { name: text(200).nullable().optional(), masterPass: z.boolean().optional() }
const TokenGroupChange = z.strictObject(changeable)
const TokenGroupDraft = z.strictObject({ id: groupId, ...changeable })
const TokenGroup = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    masterPass: z.boolean().describe('Its tokens stop any transaction and start none'),
    createdAt: time,
  })
  .meta({ id: 'TokenGroup' })

const groupParams = z.object({ id: groupId })
const tags = ['Token groups']

/** Tokens that may stop each other's transactions; the parent of OCPP 1.6. */
export function tokenGroupRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/token-groups',
    { schema: { tags, summary: 'List token groups', querystring: pageQuery, response: { 200: pageOf(TokenGroup) } } },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.string()]))
      const rows = await prisma.tokenGroup.findMany({
        where: after ? { id: { gt: after[0] } } : {},
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toTokenGroup, ({ id }) => [id])
    },
  )

  app.post(
    '/v1/token-groups',
    {
      config: { problems: [409] },
      schema: { tags, summary: 'Create a token group', body: TokenGroupDraft, response: { 201: TokenGroup } },
    },
    async (request, reply) => {
      const { body } = request
      const [group] = await prisma.$transaction([
        prisma.tokenGroup.create({ data: { ...defined(body), id: body.id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'token-group.create', body.id, body) }),
      ])
      return reply.code(201).send(toTokenGroup(group))
    },
  )

  app.get(
    '/v1/token-groups/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read a token group', params: groupParams, response: { 200: TokenGroup } },
    },
    async ({ params: { id } }) =>
      toTokenGroup(found(await prisma.tokenGroup.findUnique({ where: { id } }), 'token group')),
  )

  app.patch(
    '/v1/token-groups/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Change a token group',
        params: groupParams,
        body: TokenGroupChange,
        response: { 200: TokenGroup },
      },
    },
    async (request) => {
      const { id } = request.params
      const [group] = await prisma.$transaction([
        prisma.tokenGroup.update({ where: { id }, data: defined(request.body) }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'token-group.update', id, request.body) }),
      ])
      return toTokenGroup(group)
    },
  )

  app.delete(
    '/v1/token-groups/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a token group',
        description: 'Its tokens stay, without a group.',
        params: groupParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.tokenGroup.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'token-group.delete', id) }),
        asPrisma(prisma, listSyncJobs()),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

function toTokenGroup({ id, name, masterPass, createdAt }: TokenGroupRow): z.infer<typeof TokenGroup> {
  return { id, name, masterPass, createdAt: toTime(createdAt) }
}
