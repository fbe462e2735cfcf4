import { registerStations as register } from '../support/register-stations.js'
import type { System } from '../support/system.js'

export const stationPassword = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

/** Stations `BENCH000000`… that need no boot, and the token they charge with. */
export async function registerStations(system: System, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => `BENCH${String(index).padStart(6, '0')}`)
  await register(system, ids, stationPassword, true)
  await system.api.registerToken('BENCH')
}
