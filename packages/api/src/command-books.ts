import { type Database, inRounds, type Sql, sql } from '@busbar/store'
import type { ApiPorts, RecordableCommand } from './ports.js'
import { type CommandRow, commandColumns } from './routes/command-schemas.js'

/** OCPP versions of a station: what it connected with last, what it may use, what it uses where it names none. */
interface Versions {
  id: string
  spoken: string | null
  allowed: string[] | null
  assumed: string | null
}

const selectVersions = sql(
  `SELECT asked.id, t.protocol AS spoken, s.protocols AS allowed, s.protocol_without_header AS assumed
   FROM unnest($1::text[]) AS asked(id)
   LEFT JOIN station s ON s.id = asked.id LEFT JOIN station_state t ON t.station_id = asked.id
   WHERE s.id IS NOT NULL OR t.online`,
)

const selectCommands = sql(`SELECT ${commandColumns} FROM command WHERE id = ANY($1::uuid[])`)

/** What callers of commands need of Postgres, for all of one moment together. */
export class CommandBooks {
  readonly #database: Database
  readonly #commands: ApiPorts['commands']
  readonly #recordInRound: (command: RecordableCommand) => Promise<boolean>
  /** Null for a station that is neither registered nor connected. */
  readonly findVersions: (stationId: string) => Promise<Versions | null>
  readonly find: (id: string) => Promise<CommandRow | null>

  constructor({ database, commands }: Pick<ApiPorts, 'database' | 'commands'>) {
    this.#database = database
    this.#commands = commands
    this.#recordInRound = inRounds((prepared) => this.#record(prepared, []))
    this.findVersions = inRounds((ids) => byId(ids, (asked) => database.query<Versions>(selectVersions(asked))))
    this.find = inRounds((ids) => byId(ids, (asked) => database.query<CommandRow>(selectCommands(asked))))
  }

  /**
   * @param also what else happens in the same commit, which is its own then
   * @returns false where the caller used the idempotency key before: nothing was recorded
   * @throws UnavailableError
   */
  async record(command: RecordableCommand, also: readonly Sql[]): Promise<boolean> {
    if (also.length === 0) return this.#recordInRound(command)
    const [isNew = false] = await this.#record([command], also)
    return isNew
  }

  async #record(commands: readonly RecordableCommand[], also: readonly Sql[]): Promise<boolean[]> {
    const [rows = []] = await this.#database.commit([this.#commands.record(commands), ...also])
    const ids = new Set((rows as { id: string }[]).map(({ id }) => id))
    return commands.map(({ id }) => ids.has(id))
  }
}

/** @returns the row of each id, null where there is none */
async function byId<Row extends { id: string }>(
  ids: readonly string[],
  query: (ids: readonly string[]) => Promise<Row[]>,
): Promise<(Row | null)[]> {
  const rows = await query([...new Set(ids)])
  const known = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => known.get(id) ?? null)
}
