import { z } from 'zod'
import type { Caller } from '../access.js'
import type { RouteContext } from '../api.js'
import { asPrisma } from '../as-prisma.js'
import { audited } from '../audit.js'
import { found } from '../problems.js'
import { defined } from '../schemas.js'
import { overlaySwitches } from './presets.js'
import { hashPassword } from './station-access.js'
import { findStation } from './station-queries.js'
import { Station, type StationChange, type StationDraft, toStation } from './station-schemas.js'

export const RegisteredStation = Station.extend({
  password: z.string().nullable().describe('Shown this once, when it was generated'),
}).meta({ id: 'RegisteredStation' })

/** The columns for what an operator decides; groups are rows of their own. */
export function toColumns({ switches, groupIds: _, ...rest }: z.output<typeof StationChange>) {
  const chosen = rest.securityProfile === undefined ? {} : { profileSetAt: new Date() }
  return { ...defined(rest), ...chosen, ...(switches && { ownSwitches: switches }) }
}

/** Makes a station known. With security profile 1 or 2 and no password given, one is made and told in the answer only. */
export async function registerStation(
  { database: { prisma }, vault }: Pick<RouteContext, 'database' | 'vault'>,
  caller: Caller,
  { password: given, ...station }: z.output<typeof StationDraft>,
): Promise<z.infer<typeof RegisteredStation>> {
  const { id, groupIds = [], securityProfile = 1 } = station
  const generated = given === undefined && (securityProfile === 1 || securityProfile === 2)
  const password = generated ? vault.generatePassword() : given
  const hash = password === undefined ? null : await hashPassword(vault, password, generated)
  const details = { ...station, password: password === undefined ? 'none' : generated ? 'generated' : 'given' }
  await prisma.$transaction([
    prisma.station.create({
      data: {
        ...toColumns({ ...station, securityProfile }),
        id,
        foldedId: id.toLowerCase(),
        groups: { create: groupIds.map((groupId) => ({ groupId })) },
      },
    }),
    asPrisma(prisma, overlaySwitches([id])),
    ...(hash === null ? [] : [prisma.stationSecret.create({ data: { stationId: id, slot: 'current', hash } })]),
    prisma.auditEntry.create({ data: audited(caller, 'station.create', id, details) }),
  ])
  const created = toStation(found(await findStation(prisma, id), 'station'))
  return { ...created, password: generated ? (password ?? null) : null }
}
