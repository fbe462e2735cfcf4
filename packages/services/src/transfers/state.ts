import type { Sql } from '@busbar/store'
import { upsertTransfers } from './statements.js'
import { isOpen, type Transfer, type TransferKind } from './transfer.js'

/** The latest transfers of each station, oldest first; what a batch changed of them. */
export class TransfersState {
  readonly #byStation = new Map<string, Transfer[]>()
  readonly #changed = new Set<string>()

  constructor(transfers: readonly Transfer[] = []) {
    for (const transfer of [...transfers].sort(byAge)) this.of(transfer.stationId).push(transfer)
  }

  of(stationId: string): Transfer[] {
    const known = this.#byStation.get(stationId)
    if (known) return known
    const none: Transfer[] = []
    this.#byStation.set(stationId, none)
    return none
  }

  ofCommand(stationId: string, commandId: string): Transfer | undefined {
    return this.of(stationId).find((transfer) => transfer.commandId === commandId)
  }

  /**
   * The request that a status is about: the one it names, else the last one that the station has not turned down.
   */
  findRequest(stationId: string, kind: TransferKind, requestId: number | null): Transfer | undefined {
    return this.of(stationId).findLast(
      (transfer) =>
        transfer.kind === kind &&
        transfer.commandId !== null &&
        (requestId === null ? !isTurnedDown(transfer) : transfer.requestId === requestId),
    )
  }

  findUnmatched(stationId: string, kind: TransferKind, requestId: number | null): Transfer | undefined {
    return this.of(stationId).find(
      (transfer) => transfer.kind === kind && transfer.commandId === null && transfer.requestId === requestId,
    )
  }

  /** Those that a newer request puts an end to. */
  openBefore({ stationId, kind, id }: Transfer): Transfer[] {
    const all = this.of(stationId)
    const index = all.findIndex((transfer) => transfer.id === id)
    return all.filter((transfer, at) => at < index && transfer.kind === kind && transfer.commandId && isOpen(transfer))
  }

  put(transfer: Transfer): void {
    const all = this.of(transfer.stationId)
    const index = all.findIndex((each) => each.id === transfer.id)
    if (index === -1) all.push(transfer)
    else all[index] = transfer
    this.#changed.add(transfer.id)
  }

  save(): Sql[] {
    const rows = [...this.#byStation.values()].flat().filter(({ id }) => this.#changed.has(id))
    return rows.length > 0 ? [upsertTransfers(rows)] : []
  }
}

function isTurnedDown({ answer }: Transfer): boolean {
  return answer === 'rejected' || answer === 'not-started' || answer === 'nothing-to-send'
}

const byAge = (left: Transfer, right: Transfer) =>
  left.requestedAt.getTime() - right.requestedAt.getTime() || (left.id < right.id ? -1 : 1)
