import type { Database } from '@busbar/store'
import { z } from 'zod'
import { ProblemError } from '../problems.js'
import { findProvenProfile } from '../routes/security-profile.js'
import { type OperationContext, operation } from './operation.js'

const tag = 'Security'

/** 16 to 20 bytes, two digits each. @see OCPP 1.6 security white paper §7.2 */
const hexPassword = z.string().regex(/^(?:[0-9a-fA-F]{2}){16,20}$/, '16 to 20 bytes in hexadecimal')

export const securityOperations = [
  operation({
    path: 'password',
    tag,
    summary: "Change a station's password",
    description:
      'Both passwords open the door until the station has answered; then the new one alone, or, refused, the old one alone. While that is undecided no other change is sent; without `password` the same one is sent again then.',
    body: z.strictObject({ password: hexPassword.optional().describe('Made by Busbar when not given') }),
    example: {},
    build: {
      'ocpp1.6': async ({ password }, context) => {
        const pending = await findPendingPassword(context)
        if (pending !== null && password !== undefined && context.vault.hashPassword(password) !== pending.hash) {
          throw changeIsOpen()
        }
        const value = password ?? pending?.password ?? context.vault.generatePassword()
        return {
          action: 'ChangeConfiguration',
          payload: { key: 'AuthorizationKey', value },
          warnings: pending ? ['An earlier change is undecided: the same password is sent again.'] : [],
        }
      },
    },
  }),

  operation({
    path: 'security-profile',
    tag,
    summary: 'Move a station to a higher security profile',
    description:
      'Tells the station, which reconnects of itself or with a reset. Nothing is locked before it has come in with the new profile; from then on a lower one is refused. GET of the station shows where this stands (`securityProfileChange`).',
    body: z.strictObject({ profile: z.int().min(1).max(3) }),
    example: { profile: 2 },
    build: {
      'ocpp1.6': async ({ profile }, context) => {
        const proven = await findProvenProfile(context.database, context.station.id)
        if (profile <= proven) {
          const detail = `The station has proved itself with profile ${proven}; over OCPP it only goes up (A05.FR.01).`
          throw new ProblemError(422, 'A station is not moved to a lower or the same security profile.', {
            faults: [{ detail, pointer: '/profile' }],
          })
        }
        return {
          action: 'ChangeConfiguration',
          payload: { key: 'SecurityProfile', value: String(profile) },
          warnings: await profileWarnings(profile, context),
        }
      },
    },
  }),
]

function changeIsOpen(): ProblemError {
  const detail =
    'Send the same password again (a request without `password` does), wait for the station to connect, or set its password for good (PUT .../secret).'
  return new ProblemError(409, 'An earlier change of the password is undecided: the station may have taken it.', {
    faults: [{ detail, pointer: '/password' }],
  })
}

/**
 * The password of a change that is undecided; null when none is.
 * @throws ProblemError 409 where nobody knows it any more
 */
async function findPendingPassword({ database, station, vault }: OperationContext) {
  const secret = { stationId: station.id, slot: 'pending' }
  const pending = await database.prisma.stationSecret.findUnique({ where: { stationId_slot: secret } })
  if (!pending) return null
  const changes = await database.query<{ value: string }>({
    name: 'password_changes',
    text: `SELECT payload->>'value' AS value FROM command
           WHERE station_id = $1 AND action = 'ChangeConfiguration' AND lower(payload->>'key') = 'authorizationkey'
           ORDER BY created_at DESC LIMIT 20`,
    values: [station.id],
  })
  const passwords = changes.flatMap(({ value }) => (vault.isSealed(value) ? [vault.open(value)] : []))
  const password = passwords.find((each) => vault.hashPassword(each) === pending.hash)
  if (password === undefined) throw changeIsOpen()
  return { hash: pending.hash, password }
}

/** What the station will look at before it agrees. @see OCPP 1.6 security white paper A05.FR.02 to FR.04 */
async function profileWarnings(profile: number, { database, config, station }: OperationContext): Promise<string[]> {
  const { hasPassword, hasRoot, hasCertificate } = await findPreconditions(database, station.id)
  return [
    ...(profile >= 2 && !config.hasSecureListener
      ? ['Busbar is not set up for TLS: the station would not get in.']
      : []),
    ...(profile <= 2 && !hasPassword ? ['The station has no password yet.'] : []),
    ...(profile >= 2 && !hasRoot
      ? ['The station has not been seen with a root certificate by which it knows Busbar (CentralSystemRoot).']
      : []),
    ...(profile === 3 && !hasCertificate ? ['The station has not accepted a certificate of ours.'] : []),
  ]
}

interface Preconditions {
  hasPassword: boolean
  hasRoot: boolean
  hasCertificate: boolean
}

async function findPreconditions(database: Database, stationId: string): Promise<Preconditions> {
  const [row] = await database.query<Preconditions>({
    name: 'profile_preconditions',
    text: `SELECT EXISTS (SELECT FROM station_secret WHERE station_id = $1) AS "hasPassword",
             EXISTS (SELECT FROM installed_certificate WHERE station_id = $1 AND type = 'CentralSystemRoot')
               OR EXISTS (SELECT FROM root_installation
                          WHERE station_id = $1 AND type = 'CentralSystemRoot' AND status = 'accepted') AS "hasRoot",
             EXISTS (SELECT FROM station_certificate
                     WHERE station_id = $1 AND status IN ('accepted', 'active') AND not_after > now()) AS "hasCertificate"`,
    values: [stationId],
  })
  return row ?? { hasPassword: false, hasRoot: false, hasCertificate: false }
}
