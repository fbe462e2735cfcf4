import type { AuditEntry as AuditEntryRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { formatAnchor, type Link, parseAnchor } from '../audit-chain/chain.js'
import { readStanding } from '../audit-chain/standing.js'
import { verifyAudit } from '../audit-chain/verify.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { ProblemError } from '../problems.js'
import { defined, spanQuery, time, toTime } from '../schemas.js'

const AuditEntry = z
  .object({
    id: z.int(),
    at: time,
    actor: z.string().describe('Name and id of the API key or of the subject of an access token, or a service'),
    action: z.string(),
    targetType: z.string(),
    targetId: z.string(),
    details: z.unknown(),
    position: z.int().nullable().describe('Place in the chain; null until it is sealed, about a second later'),
    hash: z.string().nullable().describe('Keyed hash over this entry and the hash before it, in hex'),
  })
  .meta({ id: 'AuditEntry' })

const exampleAnchor = `4711:${'0f1e2d3c'.repeat(8)}`

const AuditHead = z
  .object({
    position: z.int().describe('How many entries the chain has'),
    hash: z.string().describe('Of the last entry, in hex; zeros while there is none'),
    anchor: z
      .string()
      .describe('Both in one text, to be noted elsewhere')
      .meta({ examples: [exampleAnchor] }),
  })
  .meta({ id: 'AuditHead' })

const AuditVerification = z
  .object({
    intact: z.boolean(),
    head: AuditHead.describe('As far as the chain holds'),
    unsealed: z.int().describe('Entries that are not in the chain yet'),
    broken: z
      .object({
        position: z.int(),
        entryId: z.int().nullable().describe('null where the entry is gone'),
        kind: z
          .enum(['missing', 'changed', 'not-as-noted'])
          .describe(
            'not-as-noted: the chain holds, but it is not the one of which the anchor was noted, or was found so before',
          ),
      })
      .nullable()
      .describe('The first entry that is missing or changed'),
  })
  .meta({ id: 'AuditVerification' })

const listQuery = pageQuery.extend({
  ...spanQuery,
  actor: z.string().max(400).optional(),
  action: z.string().max(100).optional(),
  targetType: z.string().max(50).optional(),
  targetId: z.string().max(255).optional(),
})

const verifyQuery = z.object({
  anchor: z
    .string()
    .refine((text) => parseAnchor(text) !== null, 'a position, a colon and a hash of 64 hex digits')
    .meta({ examples: [exampleAnchor] })
    .optional()
    .describe('A head noted earlier: it shows a chain that was made anew while no API process ran'),
})

const tags = ['Audit']

/** Who changed what, and whether that is still what was written. */
export function auditRoutes(app: Api, { database, vault, closing }: RouteContext): void {
  const { prisma } = database

  app.get(
    '/v1/audit',
    {
      schema: {
        tags,
        summary: 'List changes, newest first',
        description: 'Mutations, commands, keys, logins with access tokens, and calls refused for want of a role.',
        querystring: listQuery,
        response: { 200: pageOf(AuditEntry) },
      },
    },
    async ({ query: { limit, cursor, from, to, ...equal } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.int()]))
      const at = before && new Date(before[0])
      const rows = await prisma.auditEntry.findMany({
        where: {
          ...defined(equal),
          AND: [
            { at: { ...(from && { gte: from }), ...(to && { lt: to }) } },
            before && at ? { at: { lte: at }, OR: [{ at: { lt: at } }, { id: { lt: before[1] } }] } : {},
          ],
        },
        orderBy: [{ at: 'desc' }, { id: 'desc' }],
        take: limit + 1,
      })
      return toPage(rows, limit, toEntry, (row) => [toTime(row.at), Number(row.id)])
    },
  )

  app.get(
    '/v1/audit/head',
    {
      schema: {
        tags,
        summary: 'Show the head of the chain of entries',
        description:
          'Note the anchor where nobody who can write to the database can: it shows later that the chain is another one.',
        response: { 200: AuditHead },
      },
    },
    async () => toHead((await readStanding({ database, vault })).head),
  )

  app.get(
    '/v1/audit/verify',
    {
      schema: {
        tags,
        summary: 'Verify that no entry was removed or changed',
        description: 'Reckons the whole chain anew, some 20,000 entries a second; `busbar audit verify` does the same.',
        querystring: verifyQuery,
        response: { 200: AuditVerification },
      },
    },
    async (request) => {
      const { anchor } = request.query
      const gone = () => closing.aborted || request.raw.destroyed
      const found = await verifyAudit({ database, vault }, anchor === undefined ? null : parseAnchor(anchor), gone)
      if (gone()) throw new ProblemError(503, 'The verification was cut off.', { headers: { 'retry-after': '5' } })
      const { head, unsealed, broken } = found
      return {
        intact: broken === null,
        head: toHead(head),
        unsealed,
        broken: broken && {
          position: Number(broken.position),
          entryId: broken.entryId === null ? null : Number(broken.entryId),
          kind: broken.kind,
        },
      }
    },
  )
}

function toEntry({ id, at, position, hash, ...row }: AuditEntryRow): z.infer<typeof AuditEntry> {
  return {
    ...row,
    id: Number(id),
    at: toTime(at),
    position: position === null ? null : Number(position),
    hash: hash === null ? null : Buffer.from(hash).toString('hex'),
  }
}

function toHead(link: Link): z.infer<typeof AuditHead> {
  return { position: Number(link.position), hash: link.hash.toString('hex'), anchor: formatAnchor(link) }
}
