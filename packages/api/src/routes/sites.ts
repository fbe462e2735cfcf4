import { newId, type Site as SiteRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found } from '../problems.js'
import { defined, idParams, text, time, toTime } from '../schemas.js'

const fields = {
  name: text(200),
  address: text(500).nullable().optional(),
  timeZone: z.string().refine(isTimeZone, 'an IANA time zone').optional().describe('IANA name; UTC when not given'),
}
const SiteDraft = z.strictObject(fields)
const SiteChange = SiteDraft.partial()
const Site = z
  .object({ id: z.string(), name: z.string(), address: z.string().nullable(), timeZone: z.string(), createdAt: time })
  .meta({ id: 'Site' })

const tags = ['Sites']

/** Places with stations. */
export function siteRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/sites',
    { schema: { tags, summary: 'List sites', querystring: pageQuery, response: { 200: pageOf(Site) } } },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.site.findMany({
        where: after ? { id: { gt: after[0] } } : {},
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toSite, ({ id }) => [id])
    },
  )

  app.post(
    '/v1/sites',
    { schema: { tags, summary: 'Create a site', body: SiteDraft, response: { 201: Site } } },
    async (request, reply) => {
      const id = newId()
      const [site] = await prisma.$transaction([
        prisma.site.create({ data: { id, ...defined(request.body), name: request.body.name } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'site.create', id, request.body) }),
      ])
      return reply.code(201).send(toSite(site))
    },
  )

  app.get(
    '/v1/sites/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read a site', params: idParams, response: { 200: Site } },
    },
    async ({ params: { id } }) => toSite(found(await prisma.site.findUnique({ where: { id } }), 'site')),
  )

  app.patch(
    '/v1/sites/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Change a site', params: idParams, body: SiteChange, response: { 200: Site } },
    },
    async (request) => {
      const { id } = request.params
      const [site] = await prisma.$transaction([
        prisma.site.update({ where: { id }, data: defined(request.body) }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'site.update', id, request.body) }),
      ])
      return toSite(site)
    },
  )

  app.delete(
    '/v1/sites/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a site',
        description: 'Its stations stay, without a site.',
        params: idParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.site.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'site.delete', id) }),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

function toSite({ id, name, address, timeZone, createdAt }: SiteRow): z.infer<typeof Site> {
  return { id, name, address, timeZone, createdAt: toTime(createdAt) }
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}
