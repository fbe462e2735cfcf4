import type { SecurityProfileChange as ChangeRow, Database, Station, StationState } from '@busbar/store'
import { z } from 'zod'
import { nullableTime, time, toNullableTime, toTime } from '../schemas.js'

const changeState = z
  .enum(['requested', 'awaiting-reset', 'proven', 'rejected', 'failed', 'unknown'])
  .describe('`awaiting-reset`: it agreed, and has not yet come in with it; `proven`: a lower one is refused')

export const SecurityProfileChange = z
  .object({ profile: z.int(), state: changeState, requestedAt: time, answeredAt: nullableTime })
  .meta({ id: 'SecurityProfileChange' })

/** The highest profile a station has proved itself with since the operator last chose one; 0 for none. */
export function provenProfileOf(
  station: Pick<Station, 'profileSetAt'> | null,
  state: Pick<StationState, 'profileProvenAt' | 'securityProfile'> | null,
): number {
  const binds = (state?.profileProvenAt?.getTime() ?? 0) > (station?.profileSetAt?.getTime() ?? 0)
  return binds ? (state?.securityProfile ?? 0) : 0
}

/** Where the move to a profile stands: what the station answered, and what it has proved since. */
export function toProfileChange(
  { profile, status, requestedAt, answeredAt }: ChangeRow,
  provenProfile: number,
): z.infer<typeof SecurityProfileChange> {
  const isProven = provenProfile >= profile && status !== 'rejected'
  const state = isProven ? 'proven' : status === 'accepted' ? 'awaiting-reset' : changeState.parse(status)
  return { profile, state, requestedAt: toTime(requestedAt), answeredAt: toNullableTime(answeredAt) }
}

export async function findProvenProfile({ prisma }: Database, stationId: string): Promise<number> {
  const [station, state] = await Promise.all([
    prisma.station.findUnique({ where: { id: stationId } }),
    prisma.stationState.findUnique({ where: { stationId } }),
  ])
  return provenProfileOf(station, state)
}
