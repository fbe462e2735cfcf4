import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './measure.js'
import type { Product } from './product.js'

const steadyStations = 100
const seconds = { before: 8, flood: 60, connecting: 20, after: 15 }

/**
 * P19: some stations start transactions at a tenth of what the system can take, throughout; all others at three times that
 * for a minute. Nobody is turned away but by waiting, so what is admitted is what is answered.
 */
export async function overload(product: Product, stations: number): Promise<Record<string, number>> {
  const message = 'start'
  const capacity = (await product.measure({ message, stations: 300, seconds: 5 })).callsPerSecond
  const whole = Object.values(seconds).reduce((sum, each) => sum + each)
  const steady = product.measure({ message, stations: steadyStations, rate: capacity / 10, seconds: whole })
  await sleep(1_000 * seconds.before)
  const others = { first: steadyStations, stations: stations - steadyStations }
  const [flood, throughout] = await Promise.all([
    product.measure({ message, ...others, rate: 3 * capacity, seconds: seconds.flood }),
    steady,
  ])
  const usual = median(throughout.p99BySecond.slice(0, 3).map(Number))
  const endedAfter = (flood.startedAt - throughout.startedAt) / 1_000 + seconds.flood
  const slow = throughout.p99BySecond.findLastIndex((p99) => p99 === null || p99 > Math.max(2 * usual, 100))
  return {
    capacity,
    answeredPerSecond: flood.callsPerSecond + throughout.callsPerSecond,
    p999: Math.max(flood.p999, throughout.p999),
    usualP99: usual,
    slowForSeconds: Math.max(0, slow + 1 - endedAfter),
    missed: flood.missed,
  }
}
