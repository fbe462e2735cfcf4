import { type BusbarProcess, type System, startDistributed } from '../support/system.js'
import { inspectable } from './inspector.js'
import { type Measured, underLoad } from './measure.js'
import { registerStations, stationPassword } from './stations.js'

export const stationPrefix = 'BENCH'

/** What decides on the calls, and apart from it what decides nothing on them. */
export const workerServices = {
  deciding: 'stations,transactions,commands',
  apart: 'journal,smart-charging,reservations,notifications',
}

/** The running system that is measured. */
export interface Product {
  system: System
  /** CPU per call in this order: gateways, workers, the services apart. */
  measure(load: Record<string, string | number>): Promise<Measured>
  /** Answers that gateways gave because no decision came in time. */
  safeAnswers(): Promise<number>
}

export interface ProductSize {
  stations: number
  /** Of gateways, and of workers. */
  each?: number
  /** For CPU profiles of its processes, written when they stop. */
  profileFolder?: string
}

export async function startProduct({ stations, each = 1, profileFolder }: ProductSize): Promise<Product> {
  const system = await startDistributed(
    {
      gateways: each,
      workers: [...Array(each).fill(workerServices.deciding), workerServices.apart],
      partitions: 12,
      nodeArgs: profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : inspectable,
    },
    // The load comes with one key.
    { BUSBAR_LOG_LEVEL: 'warn', BUSBAR_API_REQUESTS_PER_MINUTE: '1000000' },
  )
  await registerStations(system, stations)
  const pidOf = (process: BusbarProcess | undefined) => process?.child.pid ?? 0
  const pids = [...system.gateways, ...system.workers].map(pidOf)
  const ports = system.gateways.map(({ port }) => port).join()
  return {
    system,
    measure: (load) => underLoad(pids, { stations, password: stationPassword, prefix: stationPrefix, ports, ...load }),
    safeAnswers: async () => {
      const texts = await Promise.all(system.gateways.map((gateway) => gateway.metrics()))
      return texts.reduce((sum, text) => sum + totalOf(text, 'busbar_gateway_safe_answers_total'), 0)
    },
  }
}

/** @param text in Prometheus' format @returns the sum over all labels */
export function totalOf(text: string, metric: string): number {
  const values = text.split('\n').filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
