import { type Certificate, isStrongKey, PkiError, parseCertificates } from '@busbar/pki'
import { newId, type TrustAnchor as TrustAnchorRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { ProblemError } from '../problems.js'
import { idParams, text, time, toTime } from '../schemas.js'

const TrustAnchorDraft = z.strictObject({
  name: text(200).describe("In the operator's words"),
  certificate: text(20_000).describe('One certificate of an authority, root or intermediate, PEM'),
})

const TrustAnchor = z
  .object({
    id: z.string(),
    name: z.string(),
    certificate: z.string().describe('PEM'),
    fingerprint: z.string().describe('SHA-256 of the DER, lower-case hex'),
    notAfter: time,
    createdAt: time,
  })
  .meta({ id: 'TrustAnchor' })

const tags = ['Security']

/** Authorities whose client certificates open the door (security profile 3). */
export function trustAnchorRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/trust-anchors',
    { schema: { tags, summary: 'List trust anchors', querystring: pageQuery, response: { 200: pageOf(TrustAnchor) } } },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.trustAnchor.findMany({
        where: after ? { id: { gt: after[0] } } : {},
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toTrustAnchor, ({ id }) => [id])
    },
  )

  app.post(
    '/v1/trust-anchors',
    {
      config: { problems: [409, 422] },
      schema: {
        tags,
        summary: 'Trust an authority of station certificates',
        description:
          'Gateways know it within 30 s. Its name is told to stations when they are asked for a certificate.',
        body: TrustAnchorDraft,
        response: { 201: TrustAnchor },
      },
    },
    async (request, reply) => {
      const { pem, fingerprint, notAfter } = parseAuthority(request.body.certificate)
      const { name } = request.body
      const id = newId()
      const [anchor] = await prisma.$transaction([
        prisma.trustAnchor.create({ data: { id, name, certificate: pem, fingerprint, notAfter } }),
        prisma.auditEntry.create({
          data: audited(callerOf(request), 'trust-anchor.create', id, { name, fingerprint }),
        }),
      ])
      return reply.code(201).send(toTrustAnchor(anchor))
    },
  )

  app.delete(
    '/v1/trust-anchors/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Trust an authority no more',
        description: 'Within 30 s gateways close the sockets of stations whose certificate leads to it.',
        params: idParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.trustAnchor.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'trust-anchor.delete', id) }),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

/** @throws ProblemError 422 with each fault, for what cannot vouch for stations */
function parseAuthority(pem: string): Certificate {
  const certificates = readCertificates(pem, '/certificate')
  const [authority] = certificates
  if (!authority) throw refused(['There is no certificate in it'])
  const faults = [
    ...(certificates.length > 1 ? ['One certificate at a time'] : []),
    ...(authority.isAuthority ? [] : ['It is no certificate of an authority (basic constraints)']),
    ...(isStrongKey(authority.key) ? [] : ['Its key is weaker than RSA 2048 or EC 224']),
    ...(authority.notAfter < new Date() ? ['It has expired'] : []),
  ]
  if (faults.length > 0) throw refused(faults)
  return authority
}

/** @throws ProblemError 422 for what cannot be read as certificates in PEM */
export function readCertificates(pem: string, pointer: string): Certificate[] {
  try {
    return parseCertificates(pem)
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause
    throw new ProblemError(422, 'The certificate cannot be read.', { faults: [{ pointer, detail: cause.message }] })
  }
}

function refused(details: readonly string[]): ProblemError {
  const faults = details.map((detail) => ({ pointer: '/certificate', detail }))
  return new ProblemError(422, 'This certificate cannot be a trust anchor.', { faults })
}

function toTrustAnchor({ createdAt, notAfter, ...rest }: TrustAnchorRow): z.infer<typeof TrustAnchor> {
  return { ...rest, notAfter: toTime(notAfter), createdAt: toTime(createdAt) }
}
