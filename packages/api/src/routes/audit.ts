import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { defined, time, toTime } from '../schemas.js'

const AuditEntry = z
  .object({
    id: z.int(),
    at: time,
    actor: z.string().describe('Name and id of the API key, or a service'),
    action: z.string(),
    targetType: z.string(),
    targetId: z.string(),
    details: z.unknown(),
  })
  .meta({ id: 'AuditEntry' })

const listQuery = pageQuery.extend({
  targetType: z.string().max(50).optional(),
  targetId: z.string().max(255).optional(),
})

/** Who changed what. */
export function auditRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/audit',
    {
      schema: {
        tags: ['Audit'],
        summary: 'List changes, newest first',
        querystring: listQuery,
        response: { 200: pageOf(AuditEntry) },
      },
    },
    async ({ query: { limit, cursor, ...equal } }) => {
      const before = parseCursor(cursor, z.tuple([z.int()]))
      const rows = await prisma.auditEntry.findMany({
        where: { ...defined(equal), ...(before ? { id: { lt: before[0] } } : {}) },
        orderBy: { id: 'desc' },
        take: limit + 1,
      })
      return toPage(
        rows,
        limit,
        (row) => ({ ...row, id: Number(row.id), at: toTime(row.at) }),
        (row) => [Number(row.id)],
      )
    },
  )
}
