import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './measure.js'
import { type Product, totalOf } from './product.js'

const callsPerSecond = 500
const everyMs = 5_000

/**
 * P20: sessions of all stations, one after the other, at 500 calls/s. How fast the processes grow once they are warm (the
 * first third of the time is left out), and how long their event loops are kept, is asked of the processes themselves.
 */
export async function soak(product: Product, stations: number, minutes: number): Promise<Record<string, number>> {
  const { gateways, workers, apiProcess } = product.system
  const processes = { gateway: gateways[0], worker: workers[0], apart: workers[1], api: apiProcess }
  const seconds = minutes * 60
  const load = { message: 'session', stations, rate: callsPerSecond, seconds }
  let running = true
  const done = product.measure(load).finally(() => {
    running = false
  })
  const seen: { at: number; rss: number[]; delayMs: number }[] = []
  while (running) {
    await sleep(everyMs)
    const delays = await Promise.all([gateways[0], workers[0]].map(async (process) => (await process?.metrics()) ?? ''))
    seen.push({
      at: performance.now(),
      rss: Object.values(processes).map((process) => rss(process?.child.pid ?? 0)),
      delayMs: 1_000 * Math.max(...delays.map((text) => totalOf(text, 'nodejs_eventloop_lag_p99_seconds'))),
    })
  }
  const { calls, missed, p50, p99 } = await done
  const warm = seen.slice(Math.ceil(seen.length / 3))
  const growth = Object.keys(processes).map((name, index) => [
    `${name}GrowthPercentAnHour`,
    growthPercentAnHour(warm.map(({ at, rss }) => ({ at, value: rss[index] ?? 0 }))),
  ])
  const sizes = Object.keys(processes).map((name, index) => [
    `${name}Mebibytes`,
    (warm.at(-1)?.rss[index] ?? 0) / 1_048_576,
  ])
  return {
    ...Object.fromEntries([...growth, ...sizes]),
    loopDelayP99Ms: median(warm.map(({ delayMs }) => delayMs)),
    ...{ calls, missed, p50, p99 },
  }
}

/** Of the straight line nearest to the points, against their mean. */
function growthPercentAnHour(points: readonly { at: number; value: number }[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length
  const [at, value] = [mean(points.map((point) => point.at)), mean(points.map((point) => point.value))]
  const spread = points.reduce((sum, point) => sum + (point.at - at) ** 2, 0)
  const rise = points.reduce((sum, point) => sum + (point.at - at) * (point.value - value), 0)
  return (100 * 3_600_000 * rise) / spread / value
}

function rss(pid: number): number {
  return 4_096 * Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
}
