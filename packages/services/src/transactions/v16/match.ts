import { compareDecimals, type Decimal, subtractDecimals } from '@busbar/ocpp'
import { foldToken, maskedToken, type PresentedToken, type Token } from '../authorization.js'
import { lastKnownWh } from '../energy.js'
import type { ChargingTransaction } from '../transaction.js'

/** A Stop without an id that Busbar ever gave. */
export interface StrayStop {
  /** null where the station's clock did not know. */
  at: Date | null
  /** null for no reading. */
  wh: Decimal | null
  /** null where it named no idTag. */
  presented: PresentedToken | null
  /** What `presented` is registered as. */
  token: Token | null
}

/**
 * The open transaction such a Stop belongs to: one that did not begin after it, nor at a register above its own, and where
 * it names an idTag, of that token or of its group. Of several the one whose meter stood nearest when last heard of, else
 * the latest: they run on one account, and as each ends with one of their Stops, what they come to together is right
 * whichever is taken. Without an idTag there is no account to go by, so only if there is no choice.
 * @see OCPP 1.6 errata 4.0 §3.18
 */
export function matchStop(stop: StrayStop, open: readonly ChargingTransaction[]): ChargingTransaction | null {
  const fitting = open
    .filter(({ protocol }) => protocol === 'ocpp1.6')
    .filter((transaction) => beganBefore(transaction, stop))
    .filter(({ registers: { start } }) => !start || !stop.wh || compareDecimals(start.wh, stop.wh) <= 0)
    .filter((transaction) => isSameDriver(transaction, stop))
    .sort((left, right) => nearestFirst(left, right, stop) || latestFirst(left, right))
  return stop.presented || fitting.length === 1 ? (fitting[0] ?? null) : null
}

/** True where one of the two clocks tells nothing. */
function beganBefore({ startedAt, flags }: ChargingTransaction, { at }: StrayStop): boolean {
  return at === null || startedAt === null || flags.includes('clock') || startedAt <= at
}

function isSameDriver({ tokenId, tokenValue, groupId }: ChargingTransaction, { presented, token }: StrayStop): boolean {
  if (presented === null) return true
  if (token && (token.id === tokenId || (token.groupId !== null && token.groupId === groupId))) return true
  // One that was registered, or is no more, since the start.
  return tokenValue !== null && tokenValue !== maskedToken && foldToken(tokenValue) === foldToken(presented.value)
}

function nearestFirst(left: ChargingTransaction, right: ChargingTransaction, { wh }: StrayStop): number {
  const [leftWh, rightWh] = [left, right].map(({ registers }) => lastKnownWh(registers))
  if (wh === null || !leftWh || !rightWh) return 0
  return compareDecimals(distance(wh, leftWh), distance(wh, rightWh))
}

const distance = (left: Decimal, right: Decimal): Decimal => subtractDecimals(left, right).replace('-', '')

/** Two that began at the same instant are told apart by their keys: a batch done again must choose the same one. */
function latestFirst(left: ChargingTransaction, right: ChargingTransaction): number {
  const later = (right.startedAt?.getTime() ?? 0) - (left.startedAt?.getTime() ?? 0)
  return later !== 0 ? later : left.naturalKey < right.naturalKey ? -1 : 1
}

/** The one open transaction on a connector, for readings that name none they could. */
export function matchConnector(
  connectorId: number | null,
  open: readonly ChargingTransaction[],
): ChargingTransaction | null {
  const fitting = open.filter((each) => each.protocol === 'ocpp1.6' && each.evseNumber === connectorId)
  return fitting.length === 1 ? (fitting[0] ?? null) : null
}
