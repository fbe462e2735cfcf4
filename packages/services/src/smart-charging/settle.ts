import {
  type ChargingProfile16,
  isClearedBy,
  isReplacedBy,
  type PlacedProfile,
  parseTimestamp,
  sentProfile16,
} from '@busbar/ocpp'
import type { ClearRow, ProfileRow, ProfileStatus, TransactionFact } from './state.js'

/** A remote start that led to no transaction within this time takes its profile with it. */
export const pendingMs = 60 * 60 * 1000

/** How far a station's clock may lag behind ours. */
const clockSlackMs = 5 * 60 * 1000

/** Where a profile stands, and with which transaction. */
export interface Settlement {
  status: ProfileStatus
  transactionId: string | null
  settledAt: Date | null
}

/**
 * Plays through what a station was asked and has accepted, in the order it was asked. The outcome depends on nothing else:
 * not on the order in which answers and transactions became known, nor on how often.
 * @returns for each of the profiles, by command
 * @see OCPP 1.6 §3.13.1, §3.13.2, §5.5, §5.11, §5.16
 */
export function settleProfiles(
  profiles: readonly ProfileRow[],
  clears: readonly ClearRow[],
  transactions: readonly TransactionFact[],
  now: Date,
): Map<string, Settlement> {
  const started = matchRemoteStarts(profiles, transactions)
  const held = profiles.map((row) => hold(row, started.get(row) ?? findTransaction(row, transactions), now))
  const accepted = held.filter(({ settlement }) => settlement.status === 'active')
  const steps = [
    ...accepted.map((profile) => ({ at: profile.since, id: profile.row.commandId, profile, clear: null })),
    ...clears
      .filter(({ answer }) => answer === 'accepted')
      .map((clear) => ({ at: clear.requestedAt, id: clear.commandId, profile: null, clear })),
  ].sort((a, b) => a.at.getTime() - b.at.getTime() || (a.id < b.id ? -1 : 1))
  let installed: Held[] = []
  for (const { at, profile, clear } of steps) {
    const isGone = (each: Held) =>
      each.goneAt > at && (profile ? isReplacedBy(each, profile) : isClearedBy(each, clear.sent))
    for (const each of installed.filter(isGone)) settle(each, profile ? 'replaced' : 'cleared', at)
    installed = installed.filter(({ settlement }) => settlement.status === 'active')
    if (profile) installed.push(profile)
  }
  for (const each of installed) {
    if (each.goneAt <= now) settle(each, each.goneAt < each.validTo ? 'ended' : 'expired', each.goneAt)
  }
  return new Map(held.map(({ row, settlement }) => [row.commandId, settlement]))
}

/** A row with what is read out of it. */
interface Held extends PlacedProfile {
  /** TxProfiles of one transaction share a stack, however it was named. */
  transactionId: string
  row: ProfileRow
  settlement: Settlement
  /** From when on the station has it. */
  since: Date
  validTo: Date
  /** The end of its validity or of its transaction, whichever is first. */
  goneAt: Date
}

function hold(row: ProfileRow, transaction: TransactionFact | null, now: Date): Held {
  const profile = profileOf(row)
  const validTo = profile.validTo === undefined ? never : parseTimestamp(profile.validTo, never).at
  const isRemote = row.action === 'RemoteStartTransaction'
  const transactionId = transaction?.id ?? null
  const connectorId = connectorOf(row) ?? transaction?.connector ?? 0
  const held: Held = {
    row,
    profile,
    connectorId,
    transactionId: transactionId ?? `${profile.transactionId ?? ''} at ${connectorId}`,
    settlement: { status: 'active', transactionId, settledAt: null },
    since: isRemote && transaction ? later(row.requestedAt, transaction.createdAt) : row.requestedAt,
    validTo,
    goneAt: earlier(validTo, transaction?.endedAt ?? never),
  }
  if (row.answer !== 'accepted') settle(held, row.answer, row.answer === 'requested' ? null : row.requestedAt)
  else if (isRemote && transactionId === null) {
    const endsAt = new Date(row.requestedAt.getTime() + pendingMs)
    settle(held, endsAt <= now ? 'ended' : 'pending', endsAt <= now ? endsAt : null)
  }
  return held
}

function settle({ settlement }: Held, status: ProfileStatus, settledAt: Date | null): void {
  Object.assign(settlement, { status, settledAt })
}

/** The latest moment a Date can hold. */
const never = new Date(8.64e15)
const later = (a: Date, b: Date) => (a > b ? a : b)
const earlier = (a: Date, b: Date) => (a < b ? a : b)

export function profileOf({ action, sent }: Pick<ProfileRow, 'action' | 'sent'>): ChargingProfile16 {
  return sentProfile16(action, sent)
}

/** Null for a remote start that leaves the choice to the station. */
export function connectorOf({ sent }: Pick<ProfileRow, 'sent'>): number | null {
  return typeof sent.connectorId === 'number' ? sent.connectorId : null
}

/** The one that is named; else the one that ran on the connector when the profile was asked for (§7.8). */
function findTransaction(row: ProfileRow, transactions: readonly TransactionFact[]): TransactionFact | null {
  const { chargingProfilePurpose, transactionId } = profileOf(row)
  if (chargingProfilePurpose !== 'TxProfile' || row.action === 'RemoteStartTransaction') return null
  if (transactionId !== undefined) {
    return transactions.find(({ ocppIds }) => ocppIds.includes(String(transactionId))) ?? null
  }
  const asked = row.requestedAt
  const ran = transactions.filter(
    ({ connector, createdAt, endedAt }) =>
      connector === connectorOf(row) && createdAt <= asked && (endedAt === null || endedAt > asked),
  )
  return ran.sort(byStart).at(-1) ?? null
}

/**
 * Each transaction takes the latest remote start before it that asked for its token and its connector: 1.6 has nothing
 * that names one to the other.
 */
function matchRemoteStarts(
  profiles: readonly ProfileRow[],
  transactions: readonly TransactionFact[],
): Map<ProfileRow, TransactionFact> {
  const remote = profiles.filter(({ action, answer }) => action === 'RemoteStartTransaction' && answer === 'accepted')
  const matched = new Map<ProfileRow, TransactionFact>()
  for (const transaction of [...transactions].sort(byStart)) {
    const [start] = remote
      .filter((row) => !matched.has(row) && mayHaveLedTo(row, transaction))
      .sort((a, b) => b.requestedAt.getTime() - a.requestedAt.getTime() || (a.commandId < b.commandId ? 1 : -1))
    if (start) matched.set(start, transaction)
  }
  return matched
}

function mayHaveLedTo(row: ProfileRow, { connector, idTag, startedAt, createdAt }: TransactionFact): boolean {
  const asked = row.requestedAt.getTime()
  const heard = createdAt.getTime()
  const wanted = connectorOf(row)
  return (
    startedAt !== null &&
    startedAt.getTime() >= asked - clockSlackMs &&
    heard >= asked &&
    heard <= asked + pendingMs &&
    (wanted === null || wanted === connector) &&
    idTag !== null &&
    String(row.sent.idTag).toLowerCase() === idTag.toLowerCase()
  )
}

const byStart = (a: TransactionFact, b: TransactionFact) =>
  (a.startedAt ?? a.createdAt).getTime() - (b.startedAt ?? b.createdAt).getTime() || (a.id < b.id ? -1 : 1)
