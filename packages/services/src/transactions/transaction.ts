import { type Energy, toEnergy } from './energy.js'
import { type EnergySample, emptyRegisters, mergeSample, type Registers } from './registers.js'
import { contains, gaps, insert, type SequenceSet } from './sequence-set.js'
import { toInt4 } from './wire.js'

/**
 * How a message came, as opposed to what it says: `late` (after the end), `corrected` (the total changed after the
 * end), `undecided` (the station was answered before the decision), `matched` (put here for want of a better place),
 * `superseded` (another began on its connector), `closed` (by an operator). And what the messages say: `gap`, `clock`,
 * `conflict` (two differ, or one with what an operator set).
 */
export type TransactionFlag =
  | 'clock'
  | 'closed'
  | 'conflict'
  | 'corrected'
  | 'gap'
  | 'late'
  | 'matched'
  | 'superseded'
  | 'undecided'

/** A transaction as far as the messages so far tell; the row of charging_transaction. */
export interface ChargingTransaction {
  id: string
  stationId: string
  protocol: string
  naturalKey: string
  /** The first OCPP transaction id handed out or seen; null while there is none. */
  ocppId: string | null
  evseNumber: number | null
  connectorNumber: number | null
  tokenId: string | null
  tokenValue: string | null
  tokenType: string | null
  tokenStatus: string | null
  groupId: string | null
  stopTokenValue: string | null
  remoteStartId: number | null
  reservationId: number | null
  /** active | ended | orphan (its start is not known) */
  status: 'active' | 'ended' | 'orphan'
  chargingState: string | null
  startedAt: Date | null
  endedAt: Date | null
  stoppedReason: string | null
  registers: Registers
  energyWh: bigint | null
  energySource: string | null
  heldReasons: string[]
  flags: TransactionFlag[]
  /** Of the station, when it last said something about this transaction. */
  bootCount: number
  lastSeqNo: number | null
  evidence: Evidence
  /** null until an operator corrected it. */
  corrected: Corrected | null
  createdAt: Date
  updatedAt: Date
}

/** What operators set after the end; null where they said nothing. It stands over what the station says, whenever that comes. */
export interface Corrected {
  /** ISO 8601 in UTC. */
  startedAt: string | null
  endedAt: string | null
  energyWh: number | null
  /** Of the registers alone. */
  measuredEnergyWh: number | null
}

export const uncorrected: Corrected = { startedAt: null, endedAt: null, energyWh: null, measuredEnergyWh: null }

/** What merging in any order needs to remember besides the values themselves. */
export interface Evidence {
  /** The steps the fields were taken from, so that a later message knows whether it has the better claim. */
  claims: Partial<Record<Claim, string>>
  seen: SequenceSet
  /** seqNo of the Started event, from which on none may be missing. */
  firstSeqNo: number | null
}

type Claim =
  | 'started'
  | 'ended'
  | 'evse'
  | 'connector'
  | 'token'
  | 'stopToken'
  | 'chargingState'
  | 'remoteStart'
  | 'reservation'

/** What was decided about a token, as a transaction keeps it. */
export interface KeptToken {
  id: string | null
  /** null where it must not be written down as such. */
  value: string | null
  type: string | null
  status: string
  groupId: string | null
}

/** What one TransactionEvent says of its transaction. */
export interface TransactionEvent {
  stepKey: string
  seqNo: number
  eventType: 'Started' | 'Updated' | 'Ended'
  at: Date
  evseId: number | null
  connectorId: number | null
  chargingState: string | null
  stoppedReason: string | null
  remoteStartId: number | null
  reservationId: number | null
  token: KeptToken | null
  /** The token was shown to stop: StopAuthorized, or Ended. */
  isStopToken: boolean
  energy: readonly EnergySample[]
}

export function newTransaction(
  identity: Pick<ChargingTransaction, 'id' | 'stationId' | 'protocol' | 'naturalKey' | 'ocppId' | 'bootCount'>,
  at: Date,
): ChargingTransaction {
  return {
    evseNumber: null,
    connectorNumber: null,
    tokenId: null,
    tokenValue: null,
    tokenType: null,
    tokenStatus: null,
    groupId: null,
    stopTokenValue: null,
    remoteStartId: null,
    reservationId: null,
    status: 'orphan',
    chargingState: null,
    startedAt: null,
    endedAt: null,
    stoppedReason: null,
    registers: emptyRegisters(),
    energyWh: null,
    energySource: null,
    heldReasons: [],
    flags: [],
    lastSeqNo: null,
    evidence: { claims: {}, seen: [], firstSeqNo: null },
    corrected: null,
    createdAt: at,
    updatedAt: at,
    ...identity,
  }
}

/**
 * Merges an event the transaction does not hold yet. Commutative: of the events that tell a field, the one with the
 * lowest seqNo wins (the highest for chargingState, which changes), whichever came first.
 */
export function mergeEvent(transaction: ChargingTransaction, event: TransactionEvent): void {
  const { evidence } = transaction
  const { stepKey, seqNo } = event
  // The caller knows that this step is new, so a known seqNo now stands for two different events.
  if (contains(evidence.seen, seqNo)) addFlag(transaction, 'conflict')
  evidence.seen = insert(evidence.seen, seqNo)
  transaction.lastSeqNo = toInt4(Math.max(transaction.lastSeqNo ?? 0, seqNo)) ?? transaction.lastSeqNo
  if (event.eventType === 'Started' && claimFirst(evidence, 'started', stepKey)) {
    transaction.startedAt = event.at
    evidence.firstSeqNo = seqNo
  }
  if (event.eventType === 'Ended' && claimFirst(evidence, 'ended', stepKey)) {
    transaction.endedAt = event.at
    transaction.stoppedReason = event.stoppedReason ?? 'Local'
  }
  if (event.evseId !== null && claimFirst(evidence, 'evse', stepKey)) transaction.evseNumber = event.evseId
  if (event.connectorId !== null && claimFirst(evidence, 'connector', stepKey)) {
    transaction.connectorNumber = event.connectorId
  }
  if (event.chargingState !== null && claimLast(evidence, 'chargingState', stepKey)) {
    transaction.chargingState = event.chargingState
  }
  if (event.remoteStartId !== null && claimFirst(evidence, 'remoteStart', stepKey)) {
    transaction.remoteStartId = event.remoteStartId
  }
  if (event.reservationId !== null && claimFirst(evidence, 'reservation', stepKey)) {
    transaction.reservationId = event.reservationId
  }
  if (event.token && event.isStopToken && claimFirst(evidence, 'stopToken', stepKey)) {
    transaction.stopTokenValue = event.token.value
  }
  if (event.token && !event.isStopToken && claimFirst(evidence, 'token', stepKey)) setToken(transaction, event.token)
  mergeSamples(transaction, event.energy)
}

export function setToken(transaction: ChargingTransaction, token: KeptToken): void {
  transaction.tokenId = token.id
  transaction.tokenValue = token.value
  transaction.tokenType = token.type
  transaction.tokenStatus = token.status
  transaction.groupId = token.groupId
}

/** @returns whether the samples told anything new */
export function mergeSamples(transaction: ChargingTransaction, samples: readonly EnergySample[]): boolean {
  let changed = false
  for (const sample of samples) changed = mergeSample(transaction.registers, sample) || changed
  return changed
}

/** Derives what follows from the rest. Call after every merge. */
export function refresh(transaction: ChargingTransaction, maxPowerW: number): Energy {
  const { evidence } = transaction
  const energy = toEnergy(transaction.registers, maxPowerW)
  transaction.energyWh = energy.wh
  transaction.energySource = energy.source
  transaction.heldReasons = energy.heldReasons
  if (transaction.corrected) overlay(transaction, transaction.corrected)
  transaction.status = transaction.startedAt === null ? 'orphan' : transaction.endedAt === null ? 'active' : 'ended'
  // seqNo starts at 0 (OCPP 2.0.1 part 2 §1.60), and stations that count on are taken as they are.
  const isComplete = gaps(evidence.seen, evidence.firstSeqNo ?? 0).length === 0
  if (isComplete) removeFlag(transaction, 'gap')
  else addFlag(transaction, 'gap')
  return energy
}

/** Whoever set the energy has looked at it, so it is held no longer. */
function overlay(transaction: ChargingTransaction, corrected: Corrected): void {
  transaction.corrected = { ...corrected, measuredEnergyWh: toNumber(transaction.energyWh) }
  if (corrected.startedAt !== null) transaction.startedAt = new Date(corrected.startedAt)
  if (corrected.endedAt !== null) transaction.endedAt = new Date(corrected.endedAt)
  if (corrected.energyWh === null) return
  transaction.energyWh = BigInt(corrected.energyWh)
  transaction.energySource = 'operator'
  transaction.heldReasons = []
}

// Below 10^12 by `toEnergy`.
export function toNumber(wh: bigint | null): number | null {
  return wh === null ? null : Number(wh)
}

/** For one whose station never tells its end. */
export function endAtLastReading(transaction: ChargingTransaction): void {
  const { start, series } = transaction.registers
  const times = [start, ...Object.values(series).map(({ last }) => last)].flatMap((reading) => reading?.at ?? [])
  const latest = times.sort().at(-1)
  transaction.endedAt = latest === undefined ? transaction.updatedAt : new Date(latest)
  transaction.stoppedReason = 'Other'
}

export function addFlag(transaction: { flags: TransactionFlag[] }, flag: TransactionFlag): void {
  if (!transaction.flags.includes(flag)) transaction.flags = [...transaction.flags, flag].sort()
}

function removeFlag(transaction: ChargingTransaction, flag: TransactionFlag): void {
  if (transaction.flags.includes(flag)) transaction.flags = transaction.flags.filter((each) => each !== flag)
}

function claimFirst({ claims }: Evidence, claim: Claim, stepKey: string): boolean {
  const known = claims[claim]
  if (known !== undefined && known <= stepKey) return false
  claims[claim] = stepKey
  return true
}

function claimLast({ claims }: Evidence, claim: Claim, stepKey: string): boolean {
  const known = claims[claim]
  if (known !== undefined && known >= stepKey) return false
  claims[claim] = stepKey
  return true
}
