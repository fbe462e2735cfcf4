import type { Registration } from '@busbar/ocpp'
import { type Database, inRounds, sql, UnavailableError } from '@busbar/store'

/** What the upgrade has to know of a station. */
export interface StationRecord {
  id: string
  registrationPolicy: string
  heartbeatIntervalSeconds: number
  acceptWithoutBoot: boolean
  /** The operator's choice, and when it was made. */
  securityProfile: number
  profileSetAt: Date | null
  /** The highest it proved since, as far as Postgres knows. */
  provenProfile: number
  /** CN of its client certificate, and of its local controller's; null: its id, and none. */
  serialNumber: string | null
  controllerSerialNumber: string | null
  /** Fingerprints of certificates it had and shall use no more. */
  closedCertificates: string[]
  protocols: string[]
  protocolWithoutHeader: string | null
  /** Tolerances and reactions switched on for this station, by name. */
  switches: Record<string, unknown>
  /** As last told to the station; null before its first boot. */
  registration: Registration
  /** Hashes of the passwords that open: one, or two while a change is open. */
  secrets: { slot: string; hash: string }[]
}

/** Fleets moved here by DNS never boot again; what was decided about a station still counts. */
export function registrationOf(station: StationRecord): Registration {
  const countsAsBooted = station.acceptWithoutBoot && station.registrationPolicy === 'accept'
  return station.registration ?? (countsAsBooted ? 'Accepted' : null)
}

type Row = StationRecord & { foldedId: string }

const findStations = sql(`
  SELECT station.id, folded_id AS "foldedId", registration_policy AS "registrationPolicy",
         heartbeat_interval_seconds AS "heartbeatIntervalSeconds", accept_without_boot AS "acceptWithoutBoot",
         station.security_profile AS "securityProfile", profile_set_at AS "profileSetAt",
         CASE WHEN profile_proven_at > coalesce(profile_set_at, '-infinity') THEN station_state.security_profile
              ELSE 0 END AS "provenProfile",
         station.serial_number AS "serialNumber", controller_serial_number AS "controllerSerialNumber", protocols,
         protocol_without_header AS "protocolWithoutHeader",
         switches, registration,
         coalesce((SELECT jsonb_agg(jsonb_build_object('slot', slot, 'hash', hash) ORDER BY slot)
                   FROM station_secret WHERE station_secret.station_id = station.id), '[]') AS secrets,
         coalesce((SELECT jsonb_agg(fingerprint) FROM station_certificate
                   WHERE station_certificate.station_id = station.id AND status IN ('superseded', 'rejected')
                     AND fingerprint IS NOT NULL AND not_after > now()), '[]') AS "closedCertificates"
  FROM station LEFT JOIN station_state ON station_state.station_id = station.id
  WHERE folded_id = ANY($1)`)

const insertDevStation = sql(`
  INSERT INTO station (id, folded_id, registration_policy, security_profile, updated_at)
  VALUES ($1, $2, 'accept', 0, now()) ON CONFLICT (id) DO NOTHING`)

const none: never[] = []
const noSwitches = {}

/** Most stations have nothing of these, and each keeps its row. */
function slim(row: Row): Row {
  if (row.protocols.length === 0) row.protocols = none
  if (row.closedCertificates.length === 0) row.closedCertificates = none
  if (Object.keys(row.switches).length === 0) row.switches = noSwitches
  return row
}

const maxCached = 50_000

/**
 * Stations as Postgres knows them at this moment. The upgrades of one event-loop turn, and those that come while a query
 * runs, share the next query. What was read before serves only while Postgres gives no answer, and only for stations that
 * were accepted.
 */
export class StationDirectory {
  readonly #database: Database
  readonly #withinMs: number
  readonly #cache = new Map<string, Row[]>()
  readonly #query: (foldedId: string) => Promise<Row[]>

  constructor(database: Database, withinMs: number) {
    this.#database = database
    this.#withinMs = withinMs
    this.#query = inRounds((foldedIds) => this.#queryAll(foldedIds))
  }

  /**
   * Exact match first, else the only one that differs in letter case.
   * @throws UnavailableError when Postgres does not answer and this station was not read before, or not accepted then
   */
  async find(id: string): Promise<StationRecord | null> {
    const foldedId = id.toLowerCase()
    const rows = await this.#read(foldedId)
    return rows.find((row) => row.id === id) ?? (rows.length === 1 ? (rows[0] ?? null) : null)
  }

  /** Lets a development set-up take any station in: services know only what has a row. */
  async addForDevelopment(id: string): Promise<StationRecord | null> {
    await this.#database.query(insertDevStation(id, id.toLowerCase()))
    return await this.find(id)
  }

  async #read(foldedId: string): Promise<Row[]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new UnavailableError('Postgres did not answer in time')), this.#withinMs)
    })
    try {
      const rows = await Promise.race([this.#query(foldedId), late])
      this.#remember(rows[0]?.foldedId ?? foldedId, rows)
      return rows
    } catch (cause) {
      const known = cause instanceof UnavailableError ? this.#cache.get(foldedId) : undefined
      // One that was not accepted may have been since: the gate would refuse readings that it throws away then.
      if (!known?.every((row) => registrationOf(row) === 'Accepted')) throw cause
      return known
    } finally {
      clearTimeout(timer)
    }
  }

  async #queryAll(foldedIds: readonly string[]): Promise<Row[][]> {
    const found = new Map<string, Row[]>()
    const rows = await this.#database.query<Row>(findStations([...new Set(foldedIds)]))
    // Not pushed: that makes room for 17.
    for (const row of rows) found.set(row.foldedId, (found.get(row.foldedId) ?? []).concat(slim(row)))
    return foldedIds.map((foldedId) => found.get(foldedId) ?? [])
  }

  #remember(foldedId: string, rows: Row[]): void {
    this.#cache.delete(foldedId)
    if (rows.length === 0) return
    this.#cache.set(foldedId, rows)
    if (this.#cache.size <= maxCached) return
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest)
      return
    }
  }
}
