import { compareDecimals, type StopTransactionReading } from '@busbar/ocpp'
import { foldToken, type Token } from '../authorization.js'
import type { ChargingTransaction } from '../transaction.js'

/**
 * The open transaction a Stop without a usable id belongs to: one of the same token or group, begun before it, at a
 * register not above its own. Of several with that token the latest; without a token only if there is no choice.
 * @param token what the Stop's idTag is registered as; null when unknown or absent
 */
export function matchStop(
  stop: StopTransactionReading,
  token: Token | null,
  open: readonly ChargingTransaction[],
): ChargingTransaction | null {
  const fitting = open
    .filter(({ protocol }) => protocol === 'ocpp1.6')
    .filter(({ startedAt }) => stop.timestamp.guessed || (startedAt !== null && startedAt <= stop.timestamp.at))
    .filter(({ registers }) => isBelow(registers.start?.wh, stop.meterStopWh))
    .filter((transaction) => !stop.idTag || isSameDriver(transaction, stop.idTag, token))
    .sort(latestFirst)
  return stop.idTag || fitting.length === 1 ? (fitting[0] ?? null) : null
}

/** Two that began at the same instant are told apart by their keys: a batch done again must choose the same one. */
function latestFirst(left: ChargingTransaction, right: ChargingTransaction): number {
  const later = (right.startedAt?.getTime() ?? 0) - (left.startedAt?.getTime() ?? 0)
  return later !== 0 ? later : left.naturalKey < right.naturalKey ? -1 : 1
}

function isBelow(startWh: string | undefined, stopWh: string): boolean {
  // A negative meterStop is no reading.
  return startWh === undefined || stopWh.startsWith('-') || compareDecimals(startWh, stopWh) <= 0
}

function isSameDriver(transaction: ChargingTransaction, idTag: string, token: Token | null): boolean {
  if (token && transaction.tokenId === token.id) return true
  if (token?.groupId && transaction.groupId === token.groupId) return true
  return transaction.tokenId === null && foldToken(transaction.tokenValue ?? '') === foldToken(idTag)
}

/** The one open transaction on a connector, for readings that name none they could. */
export function matchConnector(
  connectorId: number | null,
  open: readonly ChargingTransaction[],
): ChargingTransaction | null {
  const fitting = open.filter((each) => each.protocol === 'ocpp1.6' && each.evseNumber === connectorId)
  return fitting.length === 1 ? (fitting[0] ?? null) : null
}
