import type { RevokedCertificate as RevokedCertificateRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { ProblemError } from '../problems.js'
import { stationId, text, time, toTime } from '../schemas.js'
import { readCertificates } from './trust-anchors.js'

const fingerprint = z
  .string()
  .regex(/^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, 'SHA-256 in hex')
  .transform((value) => value.replaceAll(':', '').toLowerCase())

const Revocation = z
  .strictObject({
    fingerprint: fingerprint.optional().describe('SHA-256 of the DER, hex; instead of `certificate`'),
    certificate: text(20_000).optional().describe('PEM, the leaf first; instead of `fingerprint`'),
    reason: text(500).nullable().default(null),
    stationId: stationId.nullable().default(null),
  })
  .refine((body) => (body.fingerprint === undefined) !== (body.certificate === undefined), {
    error: 'either fingerprint or certificate',
  })

const RevokedCertificate = z
  .object({
    fingerprint: z.string(),
    stationId: z.string().nullable(),
    reason: z.string().nullable(),
    revokedAt: time,
  })
  .meta({ id: 'RevokedCertificate' })

const fingerprintParams = z.object({ fingerprint })
const tags = ['Security']

/** Certificates that open no door any more: of stations, or of an authority between them and a trust anchor. */
export function revokedCertificateRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/revoked-certificates',
    {
      schema: {
        tags,
        summary: 'List revoked certificates',
        querystring: pageQuery,
        response: { 200: pageOf(RevokedCertificate) },
      },
    },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.string()]))
      const rows = await prisma.revokedCertificate.findMany({
        where: after ? { fingerprint: { gt: after[0] } } : {},
        orderBy: { fingerprint: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toRevokedCertificate, (row) => [row.fingerprint])
    },
  )

  app.post(
    '/v1/revoked-certificates',
    {
      config: { problems: [409, 422] },
      schema: {
        tags,
        summary: 'Revoke a certificate',
        description: 'Within 30 s gateways refuse it, and close the sockets that came in with it.',
        body: Revocation,
        response: { 201: RevokedCertificate },
      },
    },
    async (request, reply) => {
      const { certificate, reason, stationId } = request.body
      const revoked = request.body.fingerprint ?? fingerprintOf(certificate ?? '')
      const [row] = await prisma.$transaction([
        prisma.revokedCertificate.create({ data: { fingerprint: revoked, reason, stationId } }),
        prisma.auditEntry.create({
          data: audited(callerOf(request), 'certificate.revoke', revoked, { reason, stationId }),
        }),
      ])
      return reply.code(201).send(toRevokedCertificate(row))
    },
  )

  app.delete(
    '/v1/revoked-certificates/:fingerprint',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Take a revocation back',
        params: fingerprintParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { fingerprint } = request.params
      await prisma.$transaction([
        prisma.revokedCertificate.delete({ where: { fingerprint } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'certificate.restore', fingerprint) }),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

function fingerprintOf(pem: string): string {
  const [leaf] = readCertificates(pem, '/certificate')
  if (leaf) return leaf.fingerprint
  throw new ProblemError(422, 'There is no certificate in it.', {
    faults: [{ pointer: '/certificate', detail: 'empty' }],
  })
}

function toRevokedCertificate({ revokedAt, ...rest }: RevokedCertificateRow): z.infer<typeof RevokedCertificate> {
  return { ...rest, revokedAt: toTime(revokedAt) }
}
