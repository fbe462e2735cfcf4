import { registerStations as register } from '../support/register-stations.js'
import type { System } from '../support/system.js'

export const stationPassword = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

/** `BENCH000007` */
export const stationId = (index: number) => `BENCH${String(index).padStart(6, '0')}`

/** Stations from `BENCH000000` on that need no boot, and the token they charge with. */
export async function registerStations(system: System, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => stationId(index))
  await register(system, ids, stationPassword, true)
  await system.api.registerToken('BENCH')
}
