import { formatTimestamp } from '@busbar/ocpp'
import { type FirmwareImage, newId, type Sql, sql } from '@busbar/store'
import { z } from 'zod'
import { type Fault, found, ProblemError } from '../problems.js'
import { defined, text, timeInput } from '../schemas.js'
import { type OperationContext, operation } from './operation.js'

const tag = 'Firmware and logs'

const location = z
  .string()
  .min(1)
  .max(512)
  .describe('An address of your own: http, https, ftp, ftps or sftp; credentials in it are masked in all that is kept')

const retries = {
  retries: z.int().min(0).max(100).optional().describe('How often the station tries; without it, as it likes'),
  retryIntervalSeconds: z.int().min(0).max(86_400).optional(),
}
const retrieveAt = timeInput.optional().describe('Not fetched before; without it, at once')
const span = { from: timeInput.optional(), to: timeInput.optional() }
const toBusbar = 'Without a location the file comes to Busbar, over HTTP; `GET .../transfers` shows it.'

export const transferOperations = [
  operation({
    path: 'firmware/update',
    tag,
    summary: 'Make a station fetch and install firmware',
    description: 'An image of `/v1/firmware`, or one at an address of your own.',
    body: z.union([
      z.strictObject({ firmwareId: z.uuid(), retrieveAt, ...retries }),
      z.strictObject({ location, retrieveAt, ...retries }),
    ]),
    example: { firmwareId: '0199f4c8-7d3a-7c11-9d2e-3f1f0a6b8c55', retries: 3, retryIntervalSeconds: 600 },
    build: {
      'ocpp1.6': async (body, context) => {
        const at = body.retrieveAt ?? context.now
        const address =
          'firmwareId' in body
            ? toAddress(await findImage(body.firmwareId, context), at, context)
            : checkLocation(body.location)
        return {
          action: 'UpdateFirmware',
          payload: { location: address, retrieveDate: formatTimestamp(at), ...toRetries(body) },
        }
      },
    },
  }),

  operation({
    path: 'firmware/update-signed',
    tag,
    summary: 'Make a station fetch, check and install signed firmware',
    description:
      'An image of `/v1/firmware` whose signature fits, or a location. A signature given here is sent as it is, unchecked.',
    body: z.strictObject({
      firmwareId: z.uuid().optional(),
      location: location.optional(),
      signingCertificate: text(5_500).optional().describe('PEM'),
      signature: text(800).optional().describe('Base64'),
      retrieveAt,
      installAt: timeInput.optional(),
      ...retries,
    }),
    example: { firmwareId: '0199f4c8-7d3a-7c11-9d2e-3f1f0a6b8c55', installAt: '2026-12-01T02:00:00Z' },
    build: {
      'ocpp1.6': async (body, context) => {
        const at = body.retrieveAt ?? context.now
        const { location: address, signingCertificate, signature } = await toSigned(body, at, context)
        const firmware = {
          location: address,
          retrieveDateTime: formatTimestamp(at),
          ...(body.installAt && { installDateTime: formatTimestamp(body.installAt) }),
          signingCertificate,
          signature,
        }
        return {
          action: 'SignedUpdateFirmware',
          payload: { firmware, ...toRetries(body) },
          warnings: body.signature === undefined ? [] : ['The signature was not checked.'],
        }
      },
    },
  }),

  operation({
    path: 'diagnostics',
    tag,
    summary: 'Make a station send its diagnostics',
    description: toBusbar,
    body: z.strictObject({ location: location.optional(), ...span, ...retries }),
    example: { from: '2026-11-01T00:00:00Z' },
    build: {
      'ocpp1.6': (body, context) => {
        const { from, to } = checkSpan(body)
        const { address, also } = toUpload(body.location, context)
        const times = defined({ startTime: from && formatTimestamp(from), stopTime: to && formatTimestamp(to) })
        return { action: 'GetDiagnostics', payload: { location: address, ...times, ...toRetries(body) }, also }
      },
    },
  }),

  operation({
    path: 'log',
    tag,
    summary: 'Make a station send its security or diagnostics log',
    description: toBusbar,
    body: z.strictObject({
      type: z.enum(['security', 'diagnostics']),
      location: location.optional(),
      ...span,
      ...retries,
    }),
    example: { type: 'security' },
    build: {
      'ocpp1.6': (body, context) => {
        const { from, to } = checkSpan(body)
        const { address, also } = toUpload(body.location, context)
        const log = {
          remoteLocation: address,
          ...defined({ oldestTimestamp: from && formatTimestamp(from), latestTimestamp: to && formatTimestamp(to) }),
        }
        const logType = body.type === 'security' ? 'SecurityLog' : 'DiagnosticsLog'
        return { action: 'GetLog', payload: { logType, log, ...toRetries(body) }, also }
      },
    },
  }),
]

function toRetries(body: { retries?: number | undefined; retryIntervalSeconds?: number | undefined }) {
  return defined({ retries: body.retries, retryInterval: body.retryIntervalSeconds })
}

const schemes = ['http:', 'https:', 'ftp:', 'ftps:', 'sftp:']

/** Passed through as it is written. @throws ProblemError 422 for what no station fetches from, or sends to */
function checkLocation(address: string): string {
  const scheme = URL.canParse(address) ? new URL(address).protocol : null
  if (scheme !== null && schemes.includes(scheme)) return address
  throw refusal({ pointer: '/location', detail: 'an address with http, https, ftp, ftps or sftp' })
}

function refusal(fault: Fault): ProblemError {
  return new ProblemError(422, 'This cannot be sent to a station.', { faults: [fault] })
}

function checkSpan<Span extends { from?: Date | undefined; to?: Date | undefined }>(body: Span): Span {
  if (body.from && body.to && body.from > body.to) throw refusal({ pointer: '/to', detail: 'lies before `from`' })
  return body
}

async function findImage(id: string, { database }: OperationContext): Promise<FirmwareImage> {
  return found(await database.prisma.firmwareImage.findUnique({ where: { id } }), 'firmware')
}

const hourMs = 3_600_000

function toAddress({ id, fileName }: FirmwareImage, at: Date, { files, now }: OperationContext): string {
  const from = Math.max(at.getTime(), now.getTime())
  return files.addresses.toFirmware(id, fileName, new Date(from + files.addressHours * hourMs))
}

interface SignedBody {
  firmwareId?: string | undefined
  location?: string | undefined
  signingCertificate?: string | undefined
  signature?: string | undefined
}

/** @throws ProblemError 422 for what is not signed well and was not signed by the operator here */
async function toSigned({ firmwareId, location: own, ...given }: SignedBody, at: Date, context: OperationContext) {
  if ((firmwareId === undefined) === (own === undefined)) {
    throw refusal({ pointer: '/firmwareId', detail: 'either this or a location' })
  }
  const image = firmwareId === undefined ? null : await findImage(firmwareId, context)
  if (image && given.signature === undefined && image.signatureState !== 'valid') {
    throw refusal({ pointer: '/firmwareId', detail: `the signature of this image is ${image.signatureState}` })
  }
  const signingCertificate = given.signingCertificate ?? image?.signingCertificate
  const signature = given.signature ?? image?.signature
  if (!signingCertificate) throw refusal({ pointer: '/signingCertificate', detail: 'needed' })
  if (!signature) throw refusal({ pointer: '/signature', detail: 'needed' })
  return { location: image ? toAddress(image, at, context) : checkLocation(own ?? ''), signingCertificate, signature }
}

const insertFile = sql(`INSERT INTO station_file (id, station_id, command_id, created_at, expires_at)
  SELECT $1::uuid, station_id, id, created_at, $2::timestamptz FROM command WHERE id = $3::uuid`)

/** The operator's own address, or a fresh one of ours, which is good once. */
function toUpload(own: string | undefined, { files, now }: OperationContext) {
  if (own !== undefined) return { address: checkLocation(own), also: () => [] }
  const id = newId()
  const expiresAt = new Date(now.getTime() + files.addressHours * hourMs)
  const also = (commandId: string): Sql[] => [insertFile(id, expiresAt.toISOString(), commandId)]
  return { address: files.addresses.toUpload(id), also }
}
