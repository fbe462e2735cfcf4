import type { Reading } from '@busbar/store'
import type { EventDraft } from '../pipeline/service.js'
import {
  type Authorization,
  authorize,
  foldToken,
  limitConcurrency,
  type PresentedToken,
  type Token,
} from './authorization.js'
import type { Correction } from './correction.js'
import { defaultMaxPowerW } from './energy.js'
import type { MeterValue } from './meter-values.js'
import { Packing, type Unpacked } from './packing.js'
import { type ChargingTransaction, newTransaction, refresh, type TransactionFlag } from './transaction.js'

/** One message about a transaction; the row of transaction_step. */
export interface Step {
  transactionId: string
  stepKey: string
  stationId: string
  /** Connection and number of the frame that said it last: that is the one an `answered` record speaks of. */
  connectionId: string
  sequence: number
  /** StartTransaction, StopTransaction, Started, Updated, Ended */
  kind: string
  seqNo: number | null
  triggerReason: string | null
  chargingState: string | null
  offline: boolean
  at: Date
  receivedAt: Date
  /** Without its meter values, which are rows of their own. */
  payload: object
  /** idTagInfo or idTokenInfo as decided; null when the message carried no token. */
  decided: { status?: unknown } | null
  flags: TransactionFlag[]
}

/** The row of meter_reading, before it is encoded. */
export interface ReadingRow extends Reading {
  sampledAt: Date
  receivedAt: Date
  transactionId: string | null
  stationId: string
}

export interface Alias {
  stationId: string
  ocppId: string
  transactionId: string
}

/** What `load` found; every part may be empty. */
export interface LoadedState {
  tokens: readonly Token[]
  /** Of stations that have booted. */
  bootCounts: ReadonlyMap<string, number>
  /** Of stations that have any. */
  switches: ReadonlyMap<string, Readonly<Record<string, unknown>>>
  transactions: readonly ChargingTransaction[]
  aliases: readonly Alias[]
  steps: readonly Step[]
  /** What became of operators' requests that come again. */
  corrections: readonly Correction[]
  /** Transactions that count against a token's limit, loaded or not. */
  running: readonly { tokenId: string; transactionId: string }[]
  /** What is due to be packed. */
  unpacked: readonly Unpacked[]
}

/** What a batch knows and changes. Holds no rule but the bookkeeping; synchronous and without I/O. */
export class ChargingState {
  readonly #tokens = new Map<string, Token[]>()
  readonly #bootCounts: ReadonlyMap<string, number>
  readonly #switches: LoadedState['switches']
  readonly #byKey = new Map<string, ChargingTransaction>()
  readonly #byId = new Map<string, ChargingTransaction>()
  readonly #aliases = new Map<string, string>()
  readonly #steps = new Map<string, Step>()
  readonly #bySequence = new Map<string, Step>()
  readonly #open = new Map<string, Set<ChargingTransaction>>()
  readonly #corrections = new Map<string, Correction>()
  readonly #running = new Map<string, Set<string>>()
  /** The token a transaction is counted for: an event that comes late may name another. */
  readonly #countedFor = new Map<string, string>()

  readonly changedTransactions = new Set<ChargingTransaction>()
  readonly changedSteps = new Set<Step>()
  readonly newAliases: Alias[] = []
  readonly newReadings: ReadingRow[] = []
  readonly newCorrections: Correction[] = []
  readonly packing: Packing
  /** Of this batch: what is told of a transaction last, if that is an update. */
  readonly #updates = new Map<string, EventDraft[]>()
  readonly #over = new Map<string, ChargingTransaction>()

  constructor(loaded: LoadedState) {
    this.packing = new Packing(loaded.unpacked)
    this.#bootCounts = loaded.bootCounts
    this.#switches = loaded.switches
    for (const token of loaded.tokens) append(this.#tokens, token.foldedValue, token)
    for (const { tokenId, transactionId } of loaded.running) this.#count(tokenId, transactionId)
    for (const transaction of loaded.transactions) this.#index(transaction)
    for (const alias of loaded.aliases) this.#aliases.set(join(alias.stationId, alias.ocppId), alias.transactionId)
    for (const step of loaded.steps) this.#indexStep(step)
    for (const correction of loaded.corrections) this.#corrections.set(correction.id, correction)
  }

  bootCount(stationId: string): number {
    return this.#bootCounts.get(stationId) ?? 0
  }

  switches(stationId: string): Readonly<Record<string, unknown>> {
    return this.#switches.get(stationId) ?? noSwitches
  }

  /** Apart from the number of its transactions: that counts only where one begins. */
  authorize(presented: PresentedToken, now: Date): Authorization {
    return authorize(presented, this.#tokens.get(foldToken(presented.value)) ?? [], now)
  }

  /** With the limit on transactions at once; the one it is presented for does not count, and is past it once over. */
  authorizeFor(transaction: ChargingTransaction, presented: PresentedToken, now: Date): Authorization {
    const authorization = this.authorize(presented, now)
    if (transaction.endedAt !== null) return authorization
    const running = this.#running.get(authorization.token?.id ?? '')
    const others = running ? running.size - (running.has(transaction.id) ? 1 : 0) : 0
    return limitConcurrency(authorization, others)
  }

  findByKey(naturalKey: string): ChargingTransaction | null {
    return this.#byKey.get(naturalKey) ?? null
  }

  /** Only among the station's own: what another station calls by the same id is another transaction. */
  findByOcppId(stationId: string, ocppId: string): ChargingTransaction | null {
    return this.#byId.get(this.#aliases.get(join(stationId, ocppId)) ?? '') ?? null
  }

  findStep(transaction: ChargingTransaction, stepKey: string): Step | null {
    return this.#steps.get(join(transaction.id, stepKey)) ?? null
  }

  findStepOfFrame(stationId: string, connectionId: string, sequence: number): Step | null {
    return this.#bySequence.get(join(stationId, connectionId, sequence)) ?? null
  }

  /** By our own id. */
  findById(id: string): ChargingTransaction | null {
    return this.#byId.get(id) ?? null
  }

  getTransaction(id: string): ChargingTransaction {
    const transaction = this.findById(id)
    if (!transaction) throw new Error(`transaction ${id} is not loaded`)
    return transaction
  }

  /** Started, not ended, not superseded; complete only for stations whose open transactions were asked for. */
  openTransactions(stationId: string): ChargingTransaction[] {
    return [...(this.#open.get(stationId) ?? [])]
  }

  create(
    identity: Pick<ChargingTransaction, 'id' | 'stationId' | 'protocol' | 'naturalKey'>,
    receivedAt: Date,
  ): ChargingTransaction {
    const bootCount = this.bootCount(identity.stationId)
    const transaction = newTransaction({ ocppId: null, bootCount, ...identity }, receivedAt)
    this.#index(transaction)
    return transaction
  }

  /** An orphan whose start came after all. */
  rekey(transaction: ChargingTransaction, naturalKey: string): void {
    this.#byKey.delete(transaction.naturalKey)
    transaction.naturalKey = naturalKey
    this.#byKey.set(naturalKey, transaction)
  }

  /** Lets `ocppId` mean this transaction, unless it means one already. */
  addAlias(transaction: ChargingTransaction, ocppId: string): void {
    const key = join(transaction.stationId, ocppId)
    if (this.#aliases.has(key)) return
    this.#aliases.set(key, transaction.id)
    this.newAliases.push({ stationId: transaction.stationId, ocppId, transactionId: transaction.id })
  }

  addStep(step: Step): void {
    this.#indexStep(step)
    this.changedSteps.add(step)
  }

  /** The same message came again, in another frame. */
  repeatStep(step: Step, connectionId: string, sequence: number): void {
    step.connectionId = connectionId
    step.sequence = sequence
    this.addStep(step)
  }

  findCorrection(id: string): Correction | null {
    return this.#corrections.get(id) ?? null
  }

  addCorrection(correction: Correction): void {
    this.#corrections.set(correction.id, correction)
    this.newCorrections.push(correction)
  }

  addReadings(
    meterValues: readonly MeterValue[],
    place: Pick<ReadingRow, 'stationId' | 'evseNumber' | 'connectorNumber' | 'transactionId' | 'receivedAt'>,
  ): void {
    for (const { sampledAt, samples } of meterValues) this.newReadings.push({ sampledAt, samples, ...place })
    const transaction = this.#byId.get(place.transactionId ?? '')
    if (transaction) this.#noteOver(transaction)
  }

  /** Derives what follows from what was merged, and has the row written. Call after every change. */
  keep(transaction: ChargingTransaction, receivedAt: Date): void {
    refresh(transaction, this.#maxPowerW(transaction.stationId))
    transaction.bootCount = Math.max(transaction.bootCount, this.bootCount(transaction.stationId))
    if (receivedAt < transaction.createdAt) transaction.createdAt = receivedAt
    if (receivedAt > transaction.updatedAt) transaction.updatedAt = receivedAt
    this.changedTransactions.add(transaction)
    this.#index(transaction)
    this.#noteOver(transaction)
  }

  /**
   * Takes back what was to be told of a transaction in this batch where it is updated once more: subscribers want to know
   * how it stands, and the readings that waited while we were away would tell them hundreds of times how it stood.
   */
  tell(transactionId: string, events: EventDraft[]): EventDraft[] {
    const [event, ...others] = events
    // What an operator did is told in any case.
    const isUpdate = event?.type === 'transaction.updated' && others.length === 0 && !('correction' in event.data)
    if (isUpdate) this.#updates.get(transactionId)?.splice(0)
    if (isUpdate) this.#updates.set(transactionId, events)
    else if (events.length > 0) this.#updates.delete(transactionId)
    return events
  }

  /** The transactions that are over, of those that were told of since this was asked before. */
  takeOver(): ChargingTransaction[] {
    const over = [...this.#over.values()]
    this.#over.clear()
    return over
  }

  #noteOver(transaction: ChargingTransaction): void {
    if (transaction.status === 'ended') this.#over.set(transaction.id, transaction)
  }

  #maxPowerW(stationId: string): number {
    const { maxPowerW } = this.switches(stationId)
    return typeof maxPowerW === 'number' ? maxPowerW : defaultMaxPowerW
  }

  #index(transaction: ChargingTransaction): void {
    this.#byId.set(transaction.id, transaction)
    this.#byKey.set(transaction.naturalKey, transaction)
    const isOpen = transaction.status === 'active' && !transaction.flags.includes('superseded')
    if (isOpen) addTo(this.#open, transaction.stationId, transaction)
    else this.#open.get(transaction.stationId)?.delete(transaction)
    const isSilent = transaction.bootCount < this.bootCount(transaction.stationId)
    this.#count(isOpen && !isSilent ? transaction.tokenId : null, transaction.id)
  }

  #count(tokenId: string | null, transactionId: string): void {
    const known = this.#countedFor.get(transactionId)
    if (known !== undefined) this.#running.get(known)?.delete(transactionId)
    if (tokenId === null) return
    this.#countedFor.set(transactionId, tokenId)
    addTo(this.#running, tokenId, transactionId)
  }

  #indexStep(step: Step): void {
    this.#steps.set(join(step.transactionId, step.stepKey), step)
    this.#bySequence.set(join(step.stationId, step.connectionId, step.sequence), step)
  }
}

const noSwitches = {}

function join(...parts: (string | number)[]): string {
  return parts.join('\n')
}

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const known = map.get(key)
  if (known) known.push(value)
  else map.set(key, [value])
}

function addTo<Value>(map: Map<string, Set<Value>>, key: string, value: Value): void {
  const known = map.get(key)
  if (known) known.add(value)
  else map.set(key, new Set([value]))
}
