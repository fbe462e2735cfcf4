import { createAuthority, parseCertificate } from '@busbar/pki'
import { type CertificateAuthority as AuthorityRow, newId } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { text, time, toTime } from '../schemas.js'

const algorithm = z.enum(['rsa-2048', 'rsa-3072', 'ec-p256', 'ec-p384'])
const rsaPadding = z.enum(['pkcs1', 'pss'])

const AuthorityDraft = z
  .strictObject({
    name: text(40).describe('Common names of root and intermediate begin with it'),
    organization: text(64).optional().describe("The operator's name when not given"),
    algorithm: algorithm.default('ec-p256'),
    rsaPadding: rsaPadding
      .default('pkcs1')
      .describe('Of RSA: PKCS #1 v1.5, which most stations verify, or PSS, which the white paper prefers'),
    years: z.int().min(1).max(30).default(20).describe('Of root and intermediate'),
    validityDays: z.int().min(1).max(3_650).default(365).describe('Of the certificates it issues'),
  })
  .meta({ examples: [{ name: 'Fleet 2026', algorithm: 'rsa-2048' }] })

const Authority = z
  .object({
    id: z.string(),
    name: z.string(),
    organization: z.string(),
    algorithm,
    rsaPadding,
    validityDays: z.int(),
    root: z.string().describe('PEM; also a trust anchor, by which stations are let in'),
    certificate: z.string().describe('Of the intermediate that issues, PEM'),
    notAfter: time,
    createdAt: time,
  })
  .meta({ id: 'CertificateAuthority' })

const tags = ['Certificates']
const yearMs = 365.25 * 24 * 60 * 60 * 1000
/** For stations whose clocks run behind. */
const clockSkewMs = 24 * 60 * 60 * 1000

/** Authorities of our own, which sign what stations ask for: the newest of the kind of the station's key. */
export function certificateAuthorityRoutes(app: Api, { database: { prisma }, vault, config }: RouteContext): void {
  app.get(
    '/v1/certificate-authorities',
    {
      schema: {
        tags,
        summary: 'List the authorities that sign station certificates, newest first',
        response: { 200: z.object({ items: z.array(Authority) }) },
      },
    },
    async () => {
      const rows = await prisma.certificateAuthority.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] })
      return { items: rows.map(toAuthority) }
    },
  )

  app.post(
    '/v1/certificate-authorities',
    {
      schema: {
        tags,
        summary: 'Create an authority that signs station certificates',
        description:
          'A root, whose key is forgotten at once, and an intermediate, whose key is kept sealed. From now on it signs what stations with keys of its kind ask for, and its root is a trust anchor. What earlier ones signed stays good while their roots are trusted.',
        body: AuthorityDraft,
        response: { 201: Authority },
      },
    },
    async (request, reply) => {
      const { name, organization: given, years, validityDays, ...kind } = request.body
      const organization = given ?? config.operatorName ?? 'Busbar'
      const now = new Date()
      const validity = {
        notBefore: new Date(now.getTime() - clockSkewMs),
        notAfter: new Date(now.getTime() + years * yearMs),
      }
      const { root, issuing } = await createAuthority({ ...kind, ...validity, name, organization })
      const { fingerprint, notAfter } = parseCertificate(root)
      const id = newId()
      const details = { name, organization, algorithm: kind.algorithm, rsaPadding: kind.rsaPadding, fingerprint }
      const [row] = await prisma.$transaction([
        prisma.certificateAuthority.create({
          data: {
            ...{ id, name, organization, ...kind, root, validityDays, notAfter },
            certificate: issuing.certificate,
            sealedKey: vault.seal(issuing.privateKey),
          },
        }),
        prisma.trustAnchor.create({
          data: { id: newId(), name: `${name} Root`, certificate: root, fingerprint, notAfter },
        }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'certificate-authority.create', id, details) }),
      ])
      return reply.code(201).send(toAuthority(row))
    },
  )
}

function toAuthority(row: AuthorityRow): z.infer<typeof Authority> {
  return {
    id: row.id,
    name: row.name,
    organization: row.organization,
    algorithm: algorithm.parse(row.algorithm),
    rsaPadding: rsaPadding.parse(row.rsaPadding),
    validityDays: row.validityDays,
    root: row.root,
    certificate: row.certificate,
    notAfter: toTime(row.notAfter),
    createdAt: toTime(row.createdAt),
  }
}
