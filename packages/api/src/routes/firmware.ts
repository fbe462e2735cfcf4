import type { Readable } from 'node:stream'
import { FileTooLargeError } from '@busbar/files'
import { PkiError, verifyFirmwareSignature } from '@busbar/pki'
import { type FirmwareImage as FirmwareRow, newId } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { Body } from '../files/body.js'
import { found, ProblemError } from '../problems.js'
import { defined, idParams, text, time, toTime } from '../schemas.js'

const described = {
  version: text(50),
  vendor: text(50).optional(),
  model: text(50).optional(),
  note: text(500).optional(),
}

const FirmwareDraft = z.object({
  fileName: z
    .string()
    .regex(/^(?!\.)[A-Za-z0-9._-]{1,100}$/, 'letters, digits, dots, dashes and underscores')
    .describe('The last part of the address that stations are given'),
  ...described,
})

const SignatureDraft = z.strictObject({
  signingCertificate: text(5_500).describe('PEM'),
  signature: text(800).describe('Base64, over SHA-256 of the file: RSA (PKCS #1 v1.5 or PSS) or ECDSA'),
})

const FirmwareImage = z
  .object({
    id: z.string(),
    fileName: z.string(),
    version: z.string(),
    vendor: z.string().nullable(),
    model: z.string().nullable(),
    note: z.string().nullable(),
    bytes: z.number(),
    sha256: z.string(),
    signatureState: z.enum(['none', 'valid', 'invalid']).describe('Whether the signature fits file and certificate'),
    signingCertificate: z.string().nullable(),
    signature: z.string().nullable(),
    createdAt: time,
  })
  .meta({ id: 'FirmwareImage' })

const tags = ['Firmware']

/** Images that stations may be told to fetch. */
export function firmwareRoutes(app: Api, context: RouteContext): void {
  const { database, files, config } = context
  const { prisma } = database

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    scope.post(
      '/v1/firmware',
      {
        config: { takesFile: true },
        schema: {
          tags,
          summary: 'Upload a firmware image',
          description: 'The body is the file itself, whatever its content type.',
          consumes: ['application/octet-stream'],
          querystring: FirmwareDraft,
          response: { 201: FirmwareImage },
        },
      },
      async (request, reply) => {
        const draft = request.query as z.infer<typeof FirmwareDraft>
        const id = newId()
        reply.header('connection', 'close')
        const body = new Body(request.raw)
        const { bytes, sha256 } = await files
          .put(keyOf(id), body, { maxBytes: config.maxFirmwareBytes })
          .catch(tooLarge)
        try {
          if (!body.isWhole || bytes === 0) throw new ProblemError(400, 'The file did not come whole.')
          const [image] = await prisma.$transaction([
            prisma.firmwareImage.create({ data: { ...defined(draft), id, bytes, sha256 } }),
            prisma.auditEntry.create({
              data: audited(callerOf(request), 'firmware.create', id, { ...draft, bytes, sha256 }),
            }),
          ])
          return reply.code(201).send(toImage(image))
        } catch (cause) {
          await files.delete(keyOf(id))
          throw cause
        }
      },
    )
  })

  app.get(
    '/v1/firmware',
    {
      schema: {
        tags,
        summary: 'List firmware images, newest first',
        querystring: pageQuery,
        response: { 200: pageOf(FirmwareImage) },
      },
    },
    async ({ query: { limit, cursor } }) => {
      const before = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.firmwareImage.findMany({
        where: before ? { id: { lt: before[0] } } : {},
        orderBy: { id: 'desc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toImage, ({ id }) => [id])
    },
  )

  app.get(
    '/v1/firmware/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read a firmware image', params: idParams, response: { 200: FirmwareImage } },
    },
    async ({ params: { id } }) => toImage(found(await prisma.firmwareImage.findUnique({ where: { id } }), 'firmware')),
  )

  app.put(
    '/v1/firmware/:id/signature',
    {
      config: { problems: [404, 422] },
      schema: {
        tags,
        summary: 'Set the signature of a firmware image',
        description:
          'It is held against file and certificate. One that does not fit is kept as `invalid`, and is not sent to stations.',
        params: idParams,
        body: SignatureDraft,
        response: { 200: FirmwareImage },
      },
    },
    async (request) => {
      const { params, body } = request
      found(await prisma.firmwareImage.findUnique({ where: { id: params.id } }), 'firmware')
      const isValid = await verify(body, () => files.read(keyOf(params.id)))
      const signatureState = isValid ? 'valid' : 'invalid'
      const [image] = await prisma.$transaction([
        prisma.firmwareImage.update({ where: { id: params.id }, data: { ...body, signatureState } }),
        prisma.auditEntry.create({
          data: audited(callerOf(request), 'firmware.sign', params.id, { ...body, signatureState }),
        }),
      ])
      return toImage(image)
    },
  )

  app.delete(
    '/v1/firmware/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a firmware image',
        description: 'Stations that were given its address get it no more.',
        params: idParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.firmwareImage.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'firmware.delete', id) }),
      ])
      await files.delete(keyOf(id))
      return reply.code(204).send(null)
    },
  )
}

const keyOf = (id: string) => `firmware/${id}`

function tooLarge(cause: unknown): never {
  throw cause instanceof FileTooLargeError ? new ProblemError(413, cause.message) : cause
}

/** @throws ProblemError 422 for a certificate or signature that is none */
async function verify(
  { signature, signingCertificate }: z.infer<typeof SignatureDraft>,
  read: () => Promise<Readable>,
): Promise<boolean> {
  const firmware = await read()
  try {
    return await verifyFirmwareSignature(firmware, signature, signingCertificate)
  } catch (cause) {
    throw cause instanceof PkiError ? new ProblemError(422, cause.message) : cause
  } finally {
    firmware.destroy()
  }
}

function toImage({ bytes, createdAt, signatureState, ...rest }: FirmwareRow): z.infer<typeof FirmwareImage> {
  const state = FirmwareImage.shape.signatureState.parse(signatureState)
  return { ...rest, bytes: Number(bytes), signatureState: state, createdAt: toTime(createdAt) }
}
