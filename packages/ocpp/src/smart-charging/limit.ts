import { parseDecimal } from '../decimal.js'

/**
 * Cuts a limit to the one decimal that a station takes; never rounds, because up would allow more than was meant.
 * @see OCPP 1.6 §7.14
 */
export function truncateLimit(limit: number): number {
  const [integer, fraction = '0'] = (parseDecimal(String(limit)) ?? '0').split('.')
  return Number(`${integer}.${fraction[0]}`)
}
