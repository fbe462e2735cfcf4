import type { Payload } from '@busbar/ocpp'
import type { CommandNews } from '../pipeline/command-news.js'

/** The most that was ever heard of a command. */
export type Answer = CommandNews['stage']

/** Where a profile stands. `settle.ts` derives it from everything else. */
export type ProfileStatus =
  | Exclude<Answer, 'accepted'>
  /** Came with a remote start whose transaction has not begun. */
  | 'pending'
  | 'active'
  | 'replaced'
  | 'cleared'
  /** With its transaction, or because none began. */
  | 'ended'
  /** Past its validTo. */
  | 'expired'

/** What was asked of a station, and what it said to that. */
export interface AskedRow {
  commandId: string
  stationId: string
  /** The CALL's payload. */
  sent: Payload
  answer: Answer
  requestedBy: string
  requestedAt: Date
  answeredAt: Date | null
}

/** A row of charging_profile. */
export interface ProfileRow extends AskedRow {
  /** SetChargingProfile | RemoteStartTransaction */
  action: string
  status: ProfileStatus
  transactionId: string | null
  settledAt: Date | null
}

/** A row of charging_profile_clear. */
export type ClearRow = AskedRow

/** A row of reported_schedule. */
export interface ReportedRow {
  stationId: string
  connector: number
  commandId: string
  sent: Payload
  response: Payload
  answeredAt: Date
}

/** Of charging_transaction, which belongs to another service: only read. */
export interface TransactionFact {
  id: string
  stationId: string
  /** All that the station may call it by. */
  ocppIds: string[]
  connector: number | null
  idTag: string | null
  startedAt: Date | null
  /** When we heard of its end, or of the next one on its connector. */
  endedAt: Date | null
  /** When we heard of it. */
  createdAt: Date
}

export interface SmartChargingRows {
  profiles: ProfileRow[]
  clears: ClearRow[]
  reported: ReportedRow[]
  transactions: TransactionFact[]
}

/** What stations were asked, as loaded and as changed since. */
class Asked<Row extends AskedRow> {
  readonly #byCommand = new Map<string, Row>()
  readonly #byStation = new Map<string, Map<string, Row>>()
  readonly #changed = new Set<string>()

  constructor(rows: readonly Row[] = []) {
    for (const row of rows) this.#hold(row)
  }

  find(commandId: string): Row | null {
    return this.#byCommand.get(commandId) ?? null
  }

  ofStation(stationId: string): Row[] {
    return [...(this.#byStation.get(stationId)?.values() ?? [])]
  }

  put(row: Row): void {
    this.#hold(row)
    this.#changed.add(row.commandId)
  }

  /** Of this batch, for saving. */
  changed(): Row[] {
    return [...this.#byCommand.values()].filter(({ commandId }) => this.#changed.has(commandId))
  }

  #hold(row: Row): void {
    this.#byCommand.set(row.commandId, row)
    const rows = this.#byStation.get(row.stationId) ?? new Map<string, Row>()
    this.#byStation.set(row.stationId, rows.set(row.commandId, row))
  }
}

/** Everything of a station that a record may concern; see README.md on how far back it goes. */
export class SmartChargingState {
  readonly profiles: Asked<ProfileRow>
  readonly clears: Asked<ClearRow>
  readonly #transactions = new Map<string, TransactionFact[]>()
  readonly #reported = new Map<string, ReportedRow>()
  readonly #changedReported = new Map<string, ReportedRow>()

  constructor({ profiles, clears, transactions = [], reported = [] }: Partial<SmartChargingRows> = {}) {
    this.profiles = new Asked(profiles)
    this.clears = new Asked(clears)
    for (const row of transactions) this.#transactions.set(row.stationId, [...this.transactionsOf(row.stationId), row])
    for (const row of reported) this.#reported.set(reportedKey(row), row)
  }

  transactionsOf(stationId: string): readonly TransactionFact[] {
    return this.#transactions.get(stationId) ?? []
  }

  /** An answer that is older than the one we have tells nothing. */
  report(row: ReportedRow): void {
    const known = this.#reported.get(reportedKey(row))
    if (known && !isLater(row, known)) return
    this.#reported.set(reportedKey(row), row)
    this.#changedReported.set(reportedKey(row), row)
  }

  /** Of this batch, for saving. */
  changedReported(): ReportedRow[] {
    return [...this.#changedReported.values()]
  }
}

const reportedKey = ({ stationId, connector }: ReportedRow) => `${stationId}\n${connector}`

function isLater(row: ReportedRow, known: ReportedRow): boolean {
  const apart = row.answeredAt.getTime() - known.answeredAt.getTime()
  return apart === 0 ? row.commandId > known.commandId : apart > 0
}
