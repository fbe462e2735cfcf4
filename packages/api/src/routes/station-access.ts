import { stationChannel } from '@busbar/backbone'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { found, ProblemError } from '../problems.js'
import { stationParams } from '../schemas.js'
import { findStation, loadSwitches } from './station-queries.js'
import { anyPassword, password, registrationPolicy, Station, toStation } from './station-schemas.js'

const SecretChange = z.strictObject({
  password: anyPassword.optional().describe('Made by Busbar when not given'),
  pending: z
    .boolean()
    .default(false)
    .describe(
      'true: both this password and the current one open the door until the station comes in with this one, or one is set for good',
    ),
})

const Secret = z.object({
  slot: z.enum(['current', 'pending']),
  password: z.string().nullable().describe('Shown this once, when it was generated'),
})

const tags = ['Stations']

/** Whether a station may come in, and how it proves itself. */
export function stationAccessRoutes(app: Api, { database, vault, backbone }: RouteContext): void {
  const { prisma } = database
  app.put(
    '/v1/stations/:id/secret',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: "Set a station's password",
        description: 'Holds from the next connection. The station itself is not told; that is a command.',
        params: stationParams,
        body: SecretChange.nullish(),
        response: { 200: Secret },
      },
    },
    async (request) => {
      const { id: stationId } = request.params
      const { password: given, pending } = request.body ?? { pending: false }
      if (given !== undefined && !password.safeParse(given).success) {
        const { anyPassword: isTolerated } = await loadSwitches(database, stationId)
        if (isTolerated !== true) {
          throw new ProblemError(422, 'A password has at least 16 characters, unless the switch anyPassword is set.')
        }
      }
      const clear = given ?? vault.generatePassword()
      const slot = pending ? 'pending' : 'current'
      const hash = await hashPassword(vault, clear, given === undefined)
      const details = { slot, password: given === undefined ? 'generated' : 'given' }
      await prisma.$transaction([
        // Locks the station and fails when there is none.
        prisma.station.update({ where: { id: stationId }, data: { updatedAt: new Date() } }),
        prisma.stationSecret.upsert({
          where: { stationId_slot: { stationId, slot } },
          create: { stationId, slot, hash },
          update: { hash, createdAt: new Date() },
        }),
        ...(pending ? [] : [prisma.stationSecret.deleteMany({ where: { stationId, slot: 'pending' } })]),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station.set-secret', stationId, details) }),
      ])
      return { slot, password: given === undefined ? clear : null } as const
    },
  )

  app.put(
    '/v1/stations/:id/registration',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Accept, reject or hold a station',
        description:
          'The next BootNotification is answered by this policy. `reject` also shuts the open connection up at once; no policy opens it before the station booted, because only the answer to its boot tells the station (to hasten that, send TriggerMessage).',
        params: stationParams,
        body: z.strictObject({ policy: registrationPolicy }),
        response: { 200: Station },
      },
    },
    async (request) => {
      const { id } = request.params
      const { policy } = request.body
      await prisma.$transaction([
        prisma.station.update({ where: { id }, data: { registrationPolicy: policy } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'station.set-registration', id, { policy }) }),
      ])
      // When the gateway cannot be told this fails with 503, and the same request again mends it.
      if (policy === 'reject') {
        await backbone.channels.publish([
          { channel: stationChannel(id), message: { kind: 'registration', registration: 'Rejected' } },
        ])
      }
      return toStation(found(await findStation(prisma, id), 'station'))
    },
  )
}

/** Ours cannot be guessed; those of others may be weak, and take longer to try. */
export async function hashPassword(vault: RouteContext['vault'], clear: string, generated: boolean): Promise<string> {
  return generated ? vault.hashPassword(clear) : vault.hashForeignPassword(clear)
}
