import { type Certificate, isStrongKey, PkiError, parseCertificates } from '@busbar/pki'
import type { Database } from '@busbar/store'
import { z } from 'zod'
import { found, ProblemError } from '../problems.js'
import { operation } from './operation.js'

const tag = 'Certificates'

const rootType = z
  .enum(['CentralSystemRoot', 'ManufacturerRoot'])
  .describe('CentralSystemRoot: by which it knows Busbar; ManufacturerRoot: by which it knows firmware')

/** In the standard a certificate has 5,500 characters at most. @see OCPP 1.6 security white paper §5.11 */
const maxCertificateLength = 5_500

const hash = z.string().min(1).max(128)
const HashData = z.strictObject({
  hashAlgorithm: z.enum(['SHA256', 'SHA384', 'SHA512']),
  issuerNameHash: hash,
  issuerKeyHash: hash,
  serialNumber: z.string().min(1).max(40),
})

export const certificateOperations = [
  operation({
    path: 'certificates/renew',
    tag,
    summary: 'Have a station ask for a new certificate',
    description: 'It makes a new key and asks to have it signed; the certificate follows by itself.',
    body: z.strictObject({}),
    example: {},
    build: {
      'ocpp1.6': () => ({
        action: 'ExtendedTriggerMessage',
        payload: { requestedMessage: 'SignChargePointCertificate' },
      }),
    },
  }),

  operation({
    path: 'certificates/install',
    tag,
    summary: 'Install a root certificate in a station',
    description: 'What cannot be a root is refused; what looks odd, an expired one among it, comes as a warning.',
    body: z.strictObject({ type: rootType, certificate: z.string().max(20_000).describe('One certificate, PEM') }),
    example: {
      type: 'CentralSystemRoot',
      certificate: '-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n',
    },
    build: {
      'ocpp1.6': ({ type, certificate: text }, { now }) => {
        const certificate = parseRoot(text)
        return {
          action: 'InstallCertificate',
          payload: { certificateType: `${type}Certificate`, certificate: certificate.pem },
          warnings: rootWarnings(certificate, now),
        }
      },
    },
  }),

  operation({
    path: 'certificates/read',
    tag,
    summary: 'Ask a station for its root certificates',
    description: 'Its answer replaces what is known of that type (GET .../certificates).',
    body: z.strictObject({ type: rootType }),
    example: { type: 'CentralSystemRoot' },
    build: {
      'ocpp1.6': ({ type }) => ({
        action: 'GetInstalledCertificateIds',
        payload: { certificateType: `${type}Certificate` },
      }),
    },
  }),

  operation({
    path: 'certificates/delete',
    tag,
    summary: 'Delete a root certificate from a station',
    description: 'The station is told the four fields by which it named the certificate, exactly as it told them.',
    body: z.union([
      z.strictObject({ certificateId: z.uuid().describe('Of a row of GET .../certificates') }),
      z.strictObject({ hashData: HashData }),
    ]),
    example: { certificateId: '01927a3e-6f4c-7d6e-9b1a-2f3c4d5e6f70' },
    build: {
      'ocpp1.6': async (wish, { database, station }) => {
        const certificateHashData = 'hashData' in wish ? wish.hashData : await findHashData(database, station.id, wish)
        return {
          action: 'DeleteCertificate',
          payload: { certificateHashData },
          warnings: await deletionWarnings(database, station.id, certificateHashData),
        }
      },
    },
  }),
]

/** @throws ProblemError 422, with every reason, for what can be no root certificate */
function parseRoot(text: string): Certificate {
  const [certificate, ...more] = readCertificates(text)
  const faults = [
    certificate === undefined && 'There is no certificate in it',
    more.length > 0 && 'There is more than one certificate in it; a station takes one at a time',
    certificate && !certificate.isAuthority && 'It is no certificate of an authority (basic constraints)',
    certificate &&
      certificate.pem.length > maxCertificateLength &&
      `In PEM it has ${certificate.pem.length} characters; the standard allows ${maxCertificateLength}`,
  ].filter((fault) => typeof fault === 'string')
  if (certificate && faults.length === 0) return certificate
  throw new ProblemError(422, 'This cannot be installed as a root certificate.', {
    faults: faults.map((detail) => ({ detail, pointer: '/certificate' })),
  })
}

/** @throws ProblemError 422 */
function readCertificates(text: string): Certificate[] {
  try {
    return parseCertificates(text)
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause
    throw new ProblemError(422, 'This is no certificate.', {
      faults: [{ detail: cause.message, pointer: '/certificate' }],
      cause,
    })
  }
}

function rootWarnings({ notBefore, notAfter, isSelfSigned, key }: Certificate, now: Date): string[] {
  return [
    ...(notAfter <= now ? [`It ended on ${notAfter.toISOString()}.`] : []),
    ...(notBefore > now ? [`It begins only on ${notBefore.toISOString()}.`] : []),
    ...(isSelfSigned ? [] : ['It is not self-signed: an intermediate, not a root.']),
    ...(isStrongKey(key) ? [] : [`Its key (${key.type}, ${key.bits} bits) is weaker than the standard allows.`]),
  ]
}

type HashDataRow = z.infer<typeof HashData>

async function findHashData(
  database: Database,
  stationId: string,
  { certificateId }: { certificateId: string },
): Promise<HashDataRow> {
  const row = await database.prisma.installedCertificate.findFirst({ where: { id: certificateId, stationId } })
  const { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } = found(row, 'certificate of this station')
  // As the station told it, whatever that is: the schema of the message judges it.
  return { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } as HashDataRow
}

/** @see OCPP 1.6 security white paper M04, remarks */
async function deletionWarnings(database: Database, stationId: string, hashData: HashDataRow): Promise<string[]> {
  const rows = await database.prisma.installedCertificate.findMany({ where: { stationId } })
  const named = rows.find((row) =>
    Object.entries(hashData).every(([field, value]) => row[field as keyof HashDataRow] === value),
  )
  if (!named) return ['The station has not named such a certificate.']
  if (rows.filter(({ type }) => type === named.type).length > 1) return []
  return [
    named.type === 'CentralSystemRoot'
      ? 'It is the last root by which the station knows Busbar: without it no TLS connection comes about.'
      : 'It is the last root by which the station knows firmware: without it no signed firmware is installed.',
  ]
}
