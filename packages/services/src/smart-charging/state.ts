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

/** Everything of a station that a record may concern; see README.md on how far back it goes. */
export class SmartChargingState {
  readonly #profiles = new Map<string, ProfileRow>()
  readonly #clears = new Map<string, ClearRow>()
  readonly #reported = new Map<string, ReportedRow>()
  readonly #transactions: readonly TransactionFact[]
  readonly #changedProfiles = new Set<string>()
  readonly #changedClears = new Set<string>()
  readonly #changedReported = new Map<string, ReportedRow>()

  constructor(rows: Partial<SmartChargingRows> = {}) {
    for (const row of rows.profiles ?? []) this.#profiles.set(row.commandId, row)
    for (const row of rows.clears ?? []) this.#clears.set(row.commandId, row)
    for (const row of rows.reported ?? []) this.#reported.set(reportedKey(row), row)
    this.#transactions = rows.transactions ?? []
  }

  profilesOf(stationId: string): ProfileRow[] {
    return [...this.#profiles.values()].filter((row) => row.stationId === stationId)
  }

  clearsOf(stationId: string): ClearRow[] {
    return [...this.#clears.values()].filter((row) => row.stationId === stationId)
  }

  transactionsOf(stationId: string): TransactionFact[] {
    return this.#transactions.filter((row) => row.stationId === stationId)
  }

  findProfile(commandId: string): ProfileRow | null {
    return this.#profiles.get(commandId) ?? null
  }

  putProfile(row: ProfileRow): void {
    this.#profiles.set(row.commandId, row)
    this.#changedProfiles.add(row.commandId)
  }

  findClear(commandId: string): ClearRow | null {
    return this.#clears.get(commandId) ?? null
  }

  putClear(row: ClearRow): void {
    this.#clears.set(row.commandId, row)
    this.#changedClears.add(row.commandId)
  }

  /** Of this batch, for saving. */
  changes(): Omit<SmartChargingRows, 'transactions'> {
    return {
      profiles: [...this.#profiles.values()].filter(({ commandId }) => this.#changedProfiles.has(commandId)),
      clears: [...this.#clears.values()].filter(({ commandId }) => this.#changedClears.has(commandId)),
      reported: [...this.#changedReported.values()],
    }
  }

  /** An answer that is older than the one we have tells nothing. */
  report(row: ReportedRow): void {
    const known = this.#reported.get(reportedKey(row))
    if (known && !isLater(row, known)) return
    this.#reported.set(reportedKey(row), row)
    this.#changedReported.set(reportedKey(row), row)
  }
}

const reportedKey = ({ stationId, connector }: ReportedRow) => `${stationId}\n${connector}`

function isLater(row: ReportedRow, known: ReportedRow): boolean {
  const apart = row.answeredAt.getTime() - known.answeredAt.getTime()
  return apart === 0 ? row.commandId > known.commandId : apart > 0
}
