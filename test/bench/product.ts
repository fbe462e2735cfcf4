import { type BusbarProcess, type System, startDistributed } from '../support/system.js'
import { type Measured, underLoad } from './measure.js'
import { registerStations, stationPassword } from './stations.js'

export const stationPrefix = 'BENCH'

/** The running system that is measured: one gateway, one worker; the services that decide nothing here run apart. */
export interface Product {
  system: System
  /** CPU per call in this order: gateway, worker, the services apart. */
  measure(load: Record<string, string | number>): Promise<Measured>
}

/** @param profileFolder for CPU profiles of its processes, written when they stop */
export async function startProduct(stations: number, profileFolder?: string): Promise<Product> {
  const system = await startDistributed(
    {
      gateways: 1,
      workers: ['stations,transactions,commands', 'journal,smart-charging,reservations'],
      partitions: 12,
      nodeArgs: profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : [],
    },
    { BUSBAR_LOG_LEVEL: 'warn' },
  )
  await registerStations(system, stations)
  const pidOf = (process: BusbarProcess | undefined) => process?.child.pid ?? 0
  const pids = [...system.gateways, ...system.workers].map(pidOf)
  const ports = system.gateways[0]?.port ?? 0
  return {
    system,
    measure: (load) => underLoad(pids, { stations, password: stationPassword, prefix: stationPrefix, ports, ...load }),
  }
}
