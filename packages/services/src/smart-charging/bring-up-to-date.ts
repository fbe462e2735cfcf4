import type { Job } from '@busbar/backbone'
import { parseTimestamp } from '@busbar/ocpp'
import type { Decision, DecisionContext, EventDraft } from '../pipeline/service.js'
import { connectorOf, pendingMs, profileOf, settleProfiles } from './settle.js'
import type { ProfileRow, SmartChargingState } from './state.js'

/** A profile's validity has ended, or no transaction came. */
export const dueJob = 'profile-due'

/** Settles the profiles of a station anew, with all that was loaded and taken, and tells what is different now. */
export function bringUpToDate(state: SmartChargingState, { now, station, record }: DecisionContext): Decision {
  const rows = state.profiles.ofStation(station.id)
  const settlements = settleProfiles(rows, state.clears.ofStation(station.id), state.transactionsOf(station.id), now)
  const changed = rows.filter((row) => {
    const { status, transactionId, settledAt } = row
    Object.assign(row, settlements.get(row.commandId))
    const isSame = row.status === status && row.transactionId === transactionId
    if (!isSame || row.settledAt?.getTime() !== settledAt?.getTime()) state.profiles.put(row)
    return !isSame
  })
  return {
    events: changed.map((row) => toEvent(row, record.receivedAt)),
    jobs: {
      put: changed.flatMap(toJobs),
      remove: changed.filter(({ settledAt }) => settledAt !== null).map((row) => toJob(row, now)),
    },
  }
}

export function profileDue(commandId: string, state: SmartChargingState, context: DecisionContext): Decision {
  const decision = bringUpToDate(state, context)
  const row = state.profiles.find(commandId)
  const job = { service: 'smart-charging', kind: dueJob, key: commandId, stationId: context.station.id } as const
  return {
    ...decision,
    jobs: {
      // Our clock may be a little behind the one that found it due.
      put: [...(decision.jobs?.put ?? []), ...(row ? toJobs(row) : [])],
      remove: [...(decision.jobs?.remove ?? []), { ...job, dueAt: context.now }],
    },
  }
}

/** What time alone will change about an open profile. */
function toJobs(row: ProfileRow): Job[] {
  if (row.status === 'pending') return [toJob(row, new Date(row.requestedAt.getTime() + pendingMs))]
  const { validTo } = profileOf(row)
  const isBounded = row.status === 'active' && validTo !== undefined
  const end = isBounded ? parseTimestamp(validTo, row.requestedAt) : null
  return end && !end.guessed ? [toJob(row, end.at)] : []
}

const toJob = ({ commandId, stationId }: ProfileRow, dueAt: Date): Job => ({
  service: 'smart-charging',
  kind: dueJob,
  key: commandId,
  stationId,
  dueAt,
})

function toEvent(row: ProfileRow, time: Date): EventDraft {
  const { commandId, status, transactionId, requestedBy } = row
  const { chargingProfileId, chargingProfilePurpose: purpose, stackLevel } = profileOf(row)
  return {
    type: 'smart-charging.profile-changed',
    subject: `charging-profile/${chargingProfileId}`,
    time,
    data: {
      commandId,
      chargingProfileId,
      connector: connectorOf(row),
      purpose,
      stackLevel,
      status,
      transactionId,
      requestedBy,
    },
  }
}
