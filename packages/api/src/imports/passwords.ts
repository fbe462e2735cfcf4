import type { RouteContext } from '../api.js'
import { ProblemError } from '../problems.js'
import { hashPassword } from '../routes/station-access.js'

/** What a row wants a station's password to be. */
export interface WantedPassword {
  row: number
  stationId: string
  /** null: made by Busbar. */
  given: string | null
}

export interface PreparedPassword {
  /** null: it is the station's password already. */
  hash: string | null
  /** Made by Busbar. */
  password?: string
}

/** Each takes some 60 ms to hash: whoever made it may have made it weak. */
const maxGiven = 2_000
/** Leaves the other threads of the pool to who else needs them. */
const workers = 2

/**
 * Hashes the passwords of a file, off the event loop.
 * @throws ProblemError 422 when so many were given that it would take minutes
 */
export async function preparePasswords(
  { database, vault }: Pick<RouteContext, 'database' | 'vault'>,
  wanted: readonly WantedPassword[],
): Promise<ReadonlyMap<number, PreparedPassword>> {
  const given = wanted.filter((each) => each.given !== null)
  if (given.length > maxGiven) {
    const detail = `${given.length} passwords are given, and each takes time to hash: import at most ${maxGiven} at once, or let Busbar make them.`
    throw new ProblemError(422, detail)
  }
  const rows = await database.query<{ stationId: string; hash: string }>({
    text: `SELECT station_id AS "stationId", hash FROM station_secret WHERE slot = 'current' AND station_id = ANY($1)`,
    values: [given.map(({ stationId }) => stationId)],
  })
  const known = new Map(rows.map(({ stationId, hash }) => [stationId, hash]))
  const prepared = new Map<number, PreparedPassword>()
  const queue = [...wanted]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const password = next.given ?? vault.generatePassword()
      const hash = known.get(next.stationId)
      const isKnown =
        next.given !== null && hash !== undefined && (await vault.verifyPassword(Buffer.from(password), hash))
      prepared.set(next.row, {
        hash: isKnown ? null : await hashPassword(vault, password, next.given === null),
        ...(next.given === null && { password }),
      })
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return prepared
}
