import type { InstalledCertificate, RootInstallation, SecurityEvent, StationCertificate } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { nullableTime, stationParams, time, toNullableTime, toTime } from '../schemas.js'

const certificateStatus = z.enum(['requested', 'issued', 'accepted', 'rejected', 'active', 'superseded', 'failed'])

const OwnCertificate = z
  .object({
    id: z.string(),
    status: certificateStatus.describe(
      '`active`: the station has connected with it; `superseded`: by a newer one, or a newer request',
    ),
    fingerprint: z.string().nullable().describe('SHA-256; null before it is issued'),
    serialNumber: z.string().nullable(),
    notBefore: nullableTime,
    notAfter: nullableTime,
    error: z.string().nullable(),
    requestedAt: time,
    firstUsedAt: nullableTime,
    chain: z.string().nullable().describe('PEM, leaf first'),
  })
  .meta({ id: 'StationCertificate' })

const rootType = z.enum(['CentralSystemRoot', 'ManufacturerRoot'])

const InstalledRoot = z
  .object({
    id: z.string(),
    type: rootType,
    hashAlgorithm: z.string(),
    issuerNameHash: z.string(),
    issuerKeyHash: z.string(),
    serialNumber: z.string(),
    reportedAt: time,
  })
  .meta({ id: 'InstalledRoot', description: 'As the station told it' })

const Installation = z
  .object({
    commandId: z.string(),
    type: rootType,
    fingerprint: z.string().nullable().describe('SHA-256; null for what could not be read'),
    status: z.enum(['requested', 'accepted', 'rejected', 'failed', 'unknown']),
    answer: z.string().nullable().describe("The station's own word"),
    requestedAt: time,
    answeredAt: nullableTime,
  })
  .meta({ id: 'RootInstallation' })

const Certificates = z.object({
  own: z.array(OwnCertificate).describe('By which it proves itself, newest first; the last 50'),
  installed: z.array(InstalledRoot).describe('Roots it said it has, when it was last asked'),
  installations: z.array(Installation).describe('Roots it was asked to install, newest first; the last 50'),
})

const SecurityEventItem = z
  .object({
    id: z.string(),
    type: z.string(),
    occurredAt: time.describe("By the station's clock"),
    receivedAt: time,
    techInfo: z.string().optional().describe('Secrets masked'),
    level: z.enum(['critical', 'warning', 'notice']).nullable().describe('Of the alarm it raised'),
  })
  .meta({ id: 'SecurityEvent' })

const tags = ['Certificates']

/** What is known of a station's certificates, and what it said of its security. */
export function stationSecurityRoutes(app: Api, { database: { prisma } }: RouteContext): void {
  app.get(
    '/v1/stations/:id/certificates',
    {
      schema: {
        tags,
        summary: "Read a station's certificates: its own, and the roots in it",
        params: stationParams,
        response: { 200: Certificates },
      },
    },
    async ({ params: { id: stationId } }) => {
      const where = { stationId }
      const orderBy = { requestedAt: 'desc' as const }
      const [own, installed, installations] = await Promise.all([
        prisma.stationCertificate.findMany({ where, orderBy, take: 50 }),
        prisma.installedCertificate.findMany({ where, orderBy: [{ type: 'asc' }, { id: 'asc' }] }),
        prisma.rootInstallation.findMany({ where, orderBy, take: 50 }),
      ])
      return {
        own: own.map(toOwn),
        installed: installed.map(toInstalled),
        installations: installations.map(toInstallation),
      }
    },
  )

  app.get(
    '/v1/stations/:id/security-events',
    {
      schema: {
        tags: ['Security'],
        summary: 'List what a station said of its security, newest first',
        params: stationParams,
        querystring: pageQuery,
        response: { 200: pageOf(SecurityEventItem) },
      },
    },
    async ({ params: { id: stationId }, query: { limit, cursor } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const receivedAt = before ? new Date(before[0]) : null
      const after = receivedAt &&
        before && { OR: [{ receivedAt: { lt: receivedAt } }, { receivedAt, id: { lt: before[1] } }] }
      const rows = await prisma.securityEvent.findMany({
        where: { stationId, ...after },
        orderBy: [{ receivedAt: 'desc' }, { id: 'desc' }],
        take: limit + 1,
      })
      return toPage(rows, limit, toEvent, (row) => [toTime(row.receivedAt), row.id])
    },
  )
}

function toOwn(row: StationCertificate): z.infer<typeof OwnCertificate> {
  return {
    id: row.id,
    status: certificateStatus.parse(row.status),
    fingerprint: row.fingerprint,
    serialNumber: row.serialNumber,
    notBefore: toNullableTime(row.notBefore),
    notAfter: toNullableTime(row.notAfter),
    error: row.error,
    requestedAt: toTime(row.requestedAt),
    firstUsedAt: toNullableTime(row.firstUsedAt),
    chain: row.chain,
  }
}

function toInstalled({ stationId: _, reportedAt, type, ...rest }: InstalledCertificate): z.infer<typeof InstalledRoot> {
  return { ...rest, type: rootType.parse(type), reportedAt: toTime(reportedAt) }
}

function toInstallation(row: RootInstallation): z.infer<typeof Installation> {
  return {
    commandId: row.commandId,
    type: rootType.parse(row.type),
    fingerprint: row.fingerprint,
    status: Installation.shape.status.parse(row.status),
    answer: row.answer,
    requestedAt: toTime(row.requestedAt),
    answeredAt: toNullableTime(row.answeredAt),
  }
}

function toEvent({
  id,
  type,
  occurredAt,
  receivedAt,
  techInfo,
  level,
}: SecurityEvent): z.infer<typeof SecurityEventItem> {
  return {
    id,
    type,
    occurredAt: toTime(occurredAt),
    receivedAt: toTime(receivedAt),
    ...(techInfo !== null && { techInfo }),
    level: SecurityEventItem.shape.level.parse(level),
  }
}
