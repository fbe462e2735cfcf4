import { type Database, sql } from '@busbar/store'
import { Counter, type Registry } from 'prom-client'
import type { Caller } from '../access.js'
import { InTurn } from '../in-turn.js'
import { ProblemError } from '../problems.js'
import { switchedAlonePerMinute } from './limits.js'
import { lockInCommit } from './lock.js'
import { countFleet } from './statements.js'

/** They ask a station for something and change nothing there. */
const reads = /^(Get\w+|(Extended)?TriggerMessage)$/

/** Stations that one owner switched within the last minute, alone or by a bulk command that nobody approved, but for one. */
const others = `(
  SELECT count(*)::int FROM (
    SELECT station_id FROM switched_station WHERE owner = $1 AND at > now() - interval '1 minute'
    UNION
    SELECT t.station_id FROM bulk_target t JOIN bulk_command b ON b.id = t.bulk_id
    WHERE t.sent_at > now() - interval '1 minute' AND b.approved_by IS NULL AND b.owner = $1) AS s
  WHERE station_id <> $2)`
const countOthers = sql(`SELECT ${others} AS count`)
const forget = sql(`DELETE FROM switched_station WHERE at <= now() - interval '1 minute'`)
const remember = sql(`
  INSERT INTO switched_station (owner, station_id, at) SELECT $1, $2, clock_timestamp() WHERE ${others} < $3
  ON CONFLICT (owner, station_id) DO UPDATE SET at = excluded.at RETURNING station_id`)

/**
 * Bounds how many stations a person switches within a minute, command by command: a stolen account must not do in a loop
 * what a bulk command needs approval for. The station counts, not the command.
 */
export class SwitchLimit {
  readonly #database: Database
  readonly #refused: Counter
  /** Whoever waits for the lock holds a connection that bulk commands may need to give it back. */
  readonly #turn = new InTurn()

  constructor(database: Database, metrics: Registry) {
    this.#database = database
    this.#refused = new Counter({
      name: 'busbar_api_switches_refused_total',
      help: 'Commands refused because their sender had switched too many stations within a minute',
      registers: [metrics],
    })
  }

  /** @throws ProblemError 429 where the command would be to one station too many, UnavailableError */
  async take(
    { owner, isLimited }: Caller,
    { stationId, action }: { stationId: string; action: string },
  ): Promise<void> {
    if (!isLimited || reads.test(action)) return
    const [[fleet], [before]] = await this.#database.pipelined((session) =>
      Promise.all([
        session.query<{ count: number }>(countFleet()),
        session.query<{ count: number }>(countOthers(owner, stationId)),
      ]),
    )
    const limit = switchedAlonePerMinute(fleet?.count ?? 0)
    if ((before?.count ?? 0) >= limit) throw this.#refuse(limit)
    const [, , remembered] = await this.#turn.run(() =>
      this.#database.commit([lockInCommit(), forget(), remember(owner, stationId, limit)]),
    )
    if (remembered?.length !== 1) throw this.#refuse(limit)
  }

  #refuse(limit: number): ProblemError {
    this.#refused.inc()
    const detail = `That would be more than ${limit} stations within a minute: send a bulk command, which another person approves.`
    return new ProblemError(429, detail, { headers: { 'retry-after': '60' } })
  }
}
