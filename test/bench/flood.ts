import type { Product } from './product.js'

/** Authorize of some stations, first alone and then beside the meters of all others. Milliseconds and ratios. */
export async function authorizeInFlood(product: Product, stations: number, seconds: number) {
  const few = Math.floor(stations / 3)
  const authorize = { message: 'authorize', rate: 500, stations: few, seconds }
  const meters = { message: 'meter', rate: 3_000, first: few, stations: stations - few }
  const alone = await product.measure(authorize)
  // It is there before the measured seconds begin, and stays until they are over.
  const [flooded, flood] = await Promise.all([
    product.measure(authorize),
    product.measure({ ...meters, warmUpSeconds: 2, seconds: seconds + 2 }),
  ])
  return {
    aloneP50: alone.p50,
    p50: flooded.p50,
    p50Ratio: flooded.p50 / alone.p50,
    aloneP99: alone.p99,
    p99: flooded.p99,
    p99Ratio: flooded.p99 / alone.p99,
    missed: flooded.missed,
    metersPerSecond: flood.callsPerSecond,
  }
}
