import { Vault } from '@busbar/store'
import type { System } from './system.js'

/** Many at once, without an audit entry each. @param acceptWithoutBoot they need no boot */
export async function registerStations(
  system: System,
  ids: readonly string[],
  password: string,
  acceptWithoutBoot: boolean,
): Promise<void> {
  const hash = new Vault(system.masterSecret).hashPassword(password)
  await system.database.query(
    `INSERT INTO station (id, folded_id, accept_without_boot, updated_at)
     SELECT id, lower(id), $2, now() FROM unnest($1::text[]) AS given (id)`,
    [ids, acceptWithoutBoot],
  )
  await system.database.query(
    `INSERT INTO station_secret (station_id, slot, hash) SELECT id, 'current', $2 FROM unnest($1::text[]) AS given (id)`,
    [ids, hash],
  )
}
