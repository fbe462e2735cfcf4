import { newId, type Token as TokenRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { asPrisma } from '../as-prisma.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { listSyncJobs } from '../list-sync.js'
import { found } from '../problems.js'
import { defined, idParams, nullableTime, text, time, timeInput, toNullableTime, toTime } from '../schemas.js'

/** IdTokenEnumType without NoAuthorization, which is always accepted and never stored. */
const tokenType = z.enum(['Central', 'eMAID', 'ISO14443', 'ISO15693', 'KeyCode', 'Local', 'MacAddress'])
const tokenStatus = z.enum(['accepted', 'blocked'])

const changeable = {
  status: tokenStatus.optional(),
  expiresAt: timeInput.nullable().optional(),
  groupId: text(36).nullable().optional(),
  maxTransactions: z.int().min(1).max(1_000).nullable().optional().describe('Transactions at once; null is no limit'),
  language: text(8).nullable().optional().describe('RFC 5646, for messages shown to the driver'),
  note: text(500).nullable().optional(),
}
const TokenChange = z.strictObject(changeable)
export const TokenDraft = z.strictObject({
  value: z
    .string()
    // As stations' tokens are when they are looked up.
    .trim()
    .regex(/^[ -~]{1,255}$/, '1 to 255 printable ASCII characters')
    .describe('As printed or read; unique with the type, whatever its letter case'),
  type: tokenType,
  ...changeable,
})
const Token = z
  .object({
    id: z.string(),
    value: z.string().describe('`***` for a KeyCode'),
    type: tokenType,
    status: tokenStatus,
    expiresAt: nullableTime,
    groupId: z.string().nullable(),
    maxTransactions: z.int().nullable(),
    language: z.string().nullable(),
    note: z.string().nullable(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Token' })

const listQuery = pageQuery.extend({
  value: z.string().trim().max(255).optional().describe('Part of the value; KeyCodes are left out'),
  type: tokenType.optional(),
  status: tokenStatus.optional(),
  groupId: z.string().max(36).optional(),
})

const tags = ['Tokens']

/** What drivers show to charge: cards, apps, contracts. */
export function tokenRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/tokens',
    { schema: { tags, summary: 'List tokens', querystring: listQuery, response: { 200: pageOf(Token) } } },
    async ({ query: { limit, cursor, value, ...equal } }) => {
      const after = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.token.findMany({
        where: {
          ...defined(equal),
          ...(value ? { foldedValue: { contains: value.toLowerCase() }, NOT: { type: 'KeyCode' } } : {}),
          ...(after ? { id: { gt: after[0] } } : {}),
        },
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toToken, ({ id }) => [id])
    },
  )

  app.post(
    '/v1/tokens',
    {
      config: { problems: [409] },
      schema: { tags, summary: 'Register a token', body: TokenDraft, response: { 201: Token } },
    },
    async (request, reply) => {
      const { body } = request
      const id = newId()
      const [token] = await prisma.$transaction([
        prisma.token.create({
          data: { id, ...defined(body), value: body.value, type: body.type, foldedValue: body.value.toLowerCase() },
        }),
        prisma.auditEntry.create({
          data: audited(callerOf(request), 'token.create', id, { ...body, value: shownValue(body) }),
        }),
        asPrisma(prisma, listSyncJobs()),
      ])
      return reply.code(201).send(toToken(token))
    },
  )

  app.get(
    '/v1/tokens/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read a token', params: idParams, response: { 200: Token } },
    },
    async ({ params: { id } }) => toToken(found(await prisma.token.findUnique({ where: { id } }), 'token')),
  )

  app.patch(
    '/v1/tokens/:id',
    {
      config: { problems: [404, 409] },
      schema: { tags, summary: 'Change a token', params: idParams, body: TokenChange, response: { 200: Token } },
    },
    async (request) => {
      const { id } = request.params
      const [token] = await prisma.$transaction([
        prisma.token.update({ where: { id }, data: defined(request.body) }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'token.update', id, request.body) }),
        asPrisma(prisma, listSyncJobs()),
      ])
      return toToken(token)
    },
  )

  app.delete(
    '/v1/tokens/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a token',
        description: 'Transactions keep its value. To refuse it by name, block it instead.',
        params: idParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.token.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'token.delete', id) }),
        asPrisma(prisma, listSyncJobs()),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

/** A KeyCode is a password that a driver types. */
export function shownValue({ type, value }: { type: string; value: string }): string {
  return type === 'KeyCode' ? '***' : value
}

function toToken(row: TokenRow): z.infer<typeof Token> {
  return {
    id: row.id,
    value: shownValue(row),
    type: tokenType.parse(row.type),
    status: tokenStatus.parse(row.status),
    expiresAt: toNullableTime(row.expiresAt),
    groupId: row.groupId,
    maxTransactions: row.maxTransactions,
    language: row.language,
    note: row.note,
    createdAt: toTime(row.createdAt),
    updatedAt: toTime(row.updatedAt),
  }
}
