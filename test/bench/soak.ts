import { setTimeout as sleep } from 'node:timers/promises'
import { Inspector } from './inspector.js'
import { median, rssBytes } from './measure.js'
import { type Product, totalOf } from './product.js'

/** Looks of one soak, evenly over its time. */
const looks = 60

interface Look {
  at: number
  rss: number[]
  /** What is held once all garbage is collected: of the gateway and the workers. */
  held: number[]
  delayMs: number
}

export interface Soaked {
  calls: number
  missed: number
  p50: number
  p99: number
  /** By process: how its RSS grew, per cent an hour, and where it ended. */
  rss: Record<string, { growthAnHour: number; bytes: number }>
  /** By process: how what it holds grew while it was looked at, per cent. */
  heldGrowth: Record<string, number>
  loopDelayP99Ms: number
}

/**
 * P20: sessions of all stations, one after the other. How the processes grow once they are warm (the first third of the
 * time is left out), and how long their event loops are kept, is asked of the processes themselves.
 */
export async function soak(
  product: Product,
  { stations, minutes, rate = 500 }: { stations: number; minutes: number; rate?: number },
): Promise<Soaked> {
  const { gateways, workers, apiProcess } = product.system
  const [gateway, worker, apart] = [gateways[0], workers[0], workers[1]]
  if (!gateway || !worker || !apart) throw new Error('a soak needs a gateway and two workers')
  const processes = { gateway, worker, apart, api: apiProcess }
  const inspectors = await Promise.all([gateway, worker, apart].map(({ child }) => Inspector.open(child)))
  const seconds = minutes * 60
  let running = true
  const done = product.measure({ message: 'session', stations, rate, seconds }).finally(() => {
    running = false
  })
  const seen: Look[] = []
  while (running) {
    await sleep((seconds * 1_000) / looks)
    const delays = await Promise.all([gateway, worker].map((process) => process.metrics()))
    seen.push({
      at: performance.now(),
      rss: Object.values(processes).map(({ child }) => rssBytes(child.pid ?? 0)),
      delayMs: 1_000 * Math.max(...delays.map((text) => totalOf(text, 'nodejs_eventloop_lag_p99_seconds'))),
      held: await Promise.all(inspectors.map((inspector) => inspector.heldBytes())),
    })
  }
  for (const inspector of inspectors) inspector.close()
  const { calls, missed, p50, p99 } = await done
  const warm = seen.slice(Math.ceil(seen.length / 3))
  const spanMs = (warm.at(-1)?.at ?? 0) - (warm[0]?.at ?? 0)
  const growth = (of: (look: Look) => number) =>
    growthPercentAMs(warm.map((look) => ({ at: look.at, value: of(look) })))
  const byName = <Value>(all: Partial<typeof processes>, value: (index: number) => Value) =>
    Object.fromEntries(Object.keys(all).map((name, index) => [name, value(index)]))
  return {
    ...{ calls, missed, p50, p99 },
    rss: byName(processes, (index) => ({
      growthAnHour: 3_600_000 * growth(({ rss }) => rss[index] ?? 0),
      bytes: warm.at(-1)?.rss[index] ?? 0,
    })),
    heldGrowth: byName({ gateway, worker, apart }, (index) => spanMs * growth(({ held }) => held[index] ?? 0)),
    loopDelayP99Ms: median(warm.map(({ delayMs }) => delayMs)),
  }
}

/** Of the straight line nearest to the points, against their mean. */
function growthPercentAMs(points: readonly { at: number; value: number }[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length
  const [at, value] = [mean(points.map((point) => point.at)), mean(points.map((point) => point.value))]
  const spread = points.reduce((sum, point) => sum + (point.at - at) ** 2, 0)
  const rise = points.reduce((sum, point) => sum + (point.at - at) * (point.value - value), 0)
  return (100 * rise) / spread / value
}

/** For the table. */
export function toFigures({ rss, heldGrowth, ...figures }: Soaked): Record<string, number> {
  const named = (suffix: string, entries: readonly (readonly [string, number])[]) =>
    Object.fromEntries(entries.map(([name, value]) => [`${name}${suffix}`, value]))
  return {
    ...named(
      'GrowthPercentAnHour',
      Object.entries(rss).map(([name, { growthAnHour }]) => [name, growthAnHour]),
    ),
    ...named(
      'Mebibytes',
      Object.entries(rss).map(([name, { bytes }]) => [name, bytes / 1_048_576]),
    ),
    ...named('HeldGrowthPercent', Object.entries(heldGrowth)),
    ...figures,
  }
}
