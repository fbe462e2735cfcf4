import type { OutgoingRecord } from '@busbar/backbone'
import type { Decision, DecisionContext, EventDraft, InboundRecord } from '../pipeline/service.js'
import type { StationPolicy, StationStateRow, StationsState } from './state.js'

/**
 * Connection records, in the order of their lane. The epoch says which connection is the newer one: what an older one
 * still says, its late close above all, never touches the newcomer.
 */
export const connectionRecords: Record<
  string,
  (record: InboundRecord, state: StationsState, context: DecisionContext) => Decision
> = {
  connected,
  /** Also puts a station back online whose gateway was taken for dead, or whose `connected` was lost. */
  presence: (record, state) => alive(record, state),
  disconnected,
  answered,
}

/**
 * The commands service is told of two things it cannot see: that a password not yet known to be the station's opened the
 * door, and that the connection which may hold CALLs is gone although nobody logged its end.
 */
function connected(record: InboundRecord, state: StationsState, context: DecisionContext): Decision {
  const { online, epoch, connectionId } = state.stateOf(record.stationId)
  const supersedes = online && epoch < BigInt(record.epoch) && connectionId !== record.connectionId
  const records = [
    ...(record.payload.secretSlot === 'pending' ? [toCommandsRecord('password-used', record, context)] : []),
    ...(supersedes ? [toCommandsRecord('superseded', record, context)] : []),
  ]
  const decision = alive(record, state)
  return records.length === 0 ? decision : { ...decision, records }
}

function toCommandsRecord(
  type: string,
  { stationId, connectionId, epoch, receivedAt }: InboundRecord,
  { topics }: DecisionContext,
): OutgoingRecord {
  const headers = { station: stationId, connection: connectionId, epoch: String(epoch) }
  return {
    topic: topics.outcomes,
    key: stationId,
    value: '{}',
    headers: { ...headers, type, receivedAt: receivedAt.toISOString() },
  }
}

function alive(record: InboundRecord, state: StationsState): Decision {
  const before = { ...state.stateOf(record.stationId) }
  const epoch = BigInt(record.epoch)
  if (epoch < before.epoch) return {}
  const lastSeenAt = latest(before.lastSeenAt, record.receivedAt)
  if (before.online && before.epoch === epoch) {
    state.changeState(record.stationId, { lastSeenAt })
    return {}
  }
  const { remoteAddress, securityProfile, certificateFingerprint = null } = record.payload
  const isSame = before.connectionId === record.connectionId
  const row = state.changeState(record.stationId, {
    online: true,
    gatewayId: record.headers.gateway ?? null,
    connectionId: record.connectionId,
    epoch,
    protocol: record.protocol,
    ...provenProfile(record, before, state.findPolicy(record.stationId)),
    remoteAddress: typeof remoteAddress === 'string' ? remoteAddress : isSame ? before.remoteAddress : null,
    connectedAt: isSame && before.connectedAt ? before.connectedAt : record.receivedAt,
    lastSeenAt,
    registration: before.registration ?? registrationWithoutBoot(record.stationId, state),
  })
  // Registered again under a new epoch, after Redis was away: nothing happened to the station.
  if (before.online && isSame) return {}
  const { gatewayId, connectionId, protocol } = row
  const proof = { securityProfile, certificateFingerprint }
  const data = { gatewayId, connectionId, protocol, remoteAddress: row.remoteAddress, ...proof }
  return { events: [{ type: 'station.connected', subject: 'station', data }] }
}

/**
 * The profile that binds the station from now on: the highest it proved since the operator last chose one (security
 * white paper, A00.FR.005: no message of OCPP lowers it).
 */
function provenProfile(
  { payload, receivedAt }: InboundRecord,
  before: StationStateRow,
  policy: StationPolicy | null,
): Pick<StationStateRow, 'securityProfile' | 'profileProvenAt'> {
  const { profileProvenAt } = before
  const setAt = policy?.profileSetAt ?? null
  const holds = profileProvenAt !== null && (setAt === null || setAt < profileProvenAt)
  const bound = holds ? before.securityProfile : 0
  // A record of presence says nothing about how the station came in.
  const proven = typeof payload.securityProfile === 'number' ? payload.securityProfile : -1
  if (proven < bound) return { securityProfile: bound, profileProvenAt }
  return { securityProfile: proven, profileProvenAt: holds ? latest(profileProvenAt, receivedAt) : receivedAt }
}

/** Fleets moved here by DNS never boot again; an operator's "reject" or "pending" still holds for them. */
function registrationWithoutBoot(stationId: string, state: StationsState): StationStateRow['registration'] {
  const policy = state.findPolicy(stationId)
  return policy?.acceptWithoutBoot && policy.registrationPolicy === 'accept' ? 'Accepted' : null
}

function disconnected(record: InboundRecord, state: StationsState): Decision {
  const before = { ...state.stateOf(record.stationId) }
  const epoch = BigInt(record.epoch)
  if (epoch < before.epoch) return {}
  state.changeState(record.stationId, {
    online: false,
    epoch,
    gatewayId: null,
    connectionId: record.connectionId,
    disconnectedAt: record.receivedAt,
  })
  if (!before.online) return {}
  const { code, reason } = record.payload
  const event: EventDraft = {
    type: 'station.disconnected',
    subject: 'station',
    data: { connectionId: record.connectionId, code, reason },
  }
  return { events: [event] }
}

/**
 * The gateway gave a safe answer to a BootNotification before ours arrived: the station acts on what it was told, so
 * that is its registration until it boots again.
 */
function answered(record: InboundRecord, state: StationsState): Decision {
  const { answer } = record.payload as { answer?: { status?: unknown } }
  const status = answer?.status
  if (record.action !== 'BootNotification') return {}
  if (status === 'Accepted' || status === 'Pending' || status === 'Rejected') {
    state.changeState(record.stationId, { registration: status })
  }
  return {}
}

const latest = (first: Date | null, second: Date) => (first && first > second ? first : second)
