import { Vault } from '@busbar/store'
import type { System } from '../support/system.js'

export const stationPassword = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

/** Stations `BENCH000000`… that need no boot, and the token they charge with. */
export async function registerStations(system: System, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => `BENCH${String(index).padStart(6, '0')}`)
  const hash = new Vault(system.masterSecret).hashPassword(stationPassword)
  await system.database.query(
    `INSERT INTO station (id, folded_id, accept_without_boot, updated_at)
     SELECT id, lower(id), true, now() FROM unnest($1::text[]) AS given (id)`,
    [ids],
  )
  await system.database.query(
    `INSERT INTO station_secret (station_id, slot, hash) SELECT id, 'current', $2 FROM unnest($1::text[]) AS given (id)`,
    [ids, hash],
  )
  await system.api.registerToken('BENCH')
}
