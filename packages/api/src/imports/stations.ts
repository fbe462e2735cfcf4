import { isDeepStrictEqual } from 'node:util'
import { insertInto, type Session, sql, updateRows } from '@busbar/store'
import { z } from 'zod'
import { listSyncJobs } from '../list-sync.js'
import { overlaySwitches } from '../routes/presets.js'
import { StationDraft } from '../routes/station-schemas.js'
import { defined, label } from '../schemas.js'
import { type ImportKind, type Item, type Verdict, write } from './import.js'
import { type PreparedPassword, preparePasswords, type WantedPassword } from './passwords.js'
import { setPasswords } from './secrets.js'

const StationRow = StationDraft.omit({ groupIds: true }).extend({
  groups: z
    .array(label)
    .max(100)
    .transform((names) => [...new Set(names)].sort())
    .optional(),
})
type StationRow = z.output<typeof StationRow>

/** What an operator decides about a station. */
interface Known {
  id: string
  name: string | null
  serialNumber: string | null
  siteId: string | null
  registrationPolicy: string
  pendingIntervalSeconds: number
  heartbeatIntervalSeconds: number
  acceptWithoutBoot: boolean
  controllerSerialNumber: string | null
  securityProfile: number
  protocols: string[]
  protocolWithoutHeader: string | null
  switches: object
  preset: string | null
  tags: string[]
  /** Names, sorted. */
  groups: string[]
}

const decided = {
  name: 'text',
  serialNumber: 'text',
  siteId: 'uuid',
  registrationPolicy: 'text',
  pendingIntervalSeconds: 'int4',
  heartbeatIntervalSeconds: 'int4',
  acceptWithoutBoot: 'bool',
  controllerSerialNumber: 'text',
  securityProfile: 'int2',
  protocols: 'text[]',
  protocolWithoutHeader: 'text',
  ownSwitches: 'jsonb',
  preset: 'text',
  tags: 'text[]',
} as const

const toColumn = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const columns = Object.keys(decided)
  .map((name) => `station.${toColumn(name)} AS "${name === 'ownSwitches' ? 'switches' : name}"`)
  .join(', ')

/** The rest by default. */
const insertStations = insertInto(
  'station',
  { id: 'text', foldedId: 'text', profileSetAt: 'timestamptz', updatedAt: 'timestamptz' },
  `RETURNING station.id, ${columns}, '{}'::text[] AS groups`,
)
const lockStations = sql(`
  SELECT station.id, ${columns}, ARRAY(
    SELECT g.name FROM station_group_member m JOIN station_group g ON g.id = m.group_id
    WHERE m.station_id = station.id) AS groups
  FROM station WHERE station.id = ANY($1) ORDER BY station.id FOR UPDATE OF station`)
const updateStations = updateRows('station', { id: 'text', ...decided, updatedAt: 'timestamptz' }, ['id'])
// A profile that is chosen anew lifts what the station has proved; one that is repeated does not.
const setProfiles = sql('UPDATE station SET profile_set_at = now() WHERE id = ANY($1)')
const selectSites = sql('SELECT id FROM site WHERE id = ANY($1::uuid[])')
const selectGroups = sql('SELECT id, name FROM station_group WHERE name = ANY($1)')
const leaveGroups = sql('DELETE FROM station_group_member WHERE station_id = ANY($1)')
const joinGroups = insertInto('station_group_member', { groupId: 'uuid', stationId: 'text' })

/**
 * As `POST` and `PATCH` of `/v1/stations`. What a row does not give stays as it is.
 * @param makesSecrets gives a new station of security profile 1 or 2 a password, where the row has none
 */
export function stations(makesSecrets: boolean): ImportKind<StationRow, ReadonlyMap<number, PreparedPassword>> {
  return {
    name: 'stations',
    cells: {
      id: 'text',
      name: 'text',
      serialNumber: 'text',
      siteId: 'text',
      registrationPolicy: 'text',
      pendingIntervalSeconds: 'integer',
      heartbeatIntervalSeconds: 'integer',
      acceptWithoutBoot: 'boolean',
      controllerSerialNumber: 'text',
      securityProfile: 'integer',
      protocols: 'list',
      protocolWithoutHeader: 'text',
      switches: 'json',
      preset: 'text',
      tags: 'list',
      groups: 'list',
      password: 'text',
    },
    value: StationRow,
    keyOf: ({ id }) => ({ identity: id, shown: id }),
    prepare: (items, context) =>
      preparePasswords(
        context,
        items.flatMap((item) => wantedPassword(item, makesSecrets)),
      ),
    apply,
  }
}

function wantedPassword({ row, value }: Item<StationRow>, makesSecrets: boolean): WantedPassword[] {
  const { id: stationId, password, securityProfile = 1 } = value
  if (password !== undefined) return [{ row, stationId, given: password }]
  return makesSecrets && [1, 2].includes(securityProfile) ? [{ row, stationId, given: null }] : []
}

interface Change {
  row: number
  isNew: boolean
  before: Known
  after: Known
  /** To be set. */
  password: PreparedPassword | null
}

async function apply(
  items: readonly Item<StationRow>[],
  session: Session,
  passwords: ReadonlyMap<number, PreparedPassword>,
): Promise<Verdict[]> {
  const { refusals, groupIds } = await checkNames(items, session)
  const sound = items.filter(({ row }) => !refusals.has(row))
  const locked = await session.query<Known>(lockStations(sound.map(({ value: { id } }) => id)))
  const known = new Map(locked.map((row) => [row.id, { ...row, groups: row.groups.sort() }]))
  const now = new Date()
  const made = await session.query<Known>(
    insertStations(
      sound.flatMap(({ value: { id } }) =>
        known.has(id) ? [] : [{ id, foldedId: id.toLowerCase(), profileSetAt: now, updatedAt: now }],
      ),
    ),
  )
  const created = new Map(made.map((row) => [row.id, row]))
  const changes = new Map<number, Change>()
  const verdicts = items.map(({ row, value }): Verdict => {
    const before = known.get(value.id) ?? created.get(value.id)
    const reason = refusals.get(row)
    if (reason !== undefined || !before) return { row, outcome: 'refused', reason: reason ?? 'It could not be made.' }
    const isNew = created.has(value.id)
    const { password: _, ...given } = defined(value)
    const after: Known = { ...before, ...given }
    const prepared = passwords.get(row)
    // Busbar makes passwords for new stations only.
    const password = prepared?.hash && (isNew || !prepared.password) ? prepared : null
    if (!isNew && !password && isDeepStrictEqual(before, after)) return { row, outcome: 'unchanged' }
    changes.set(row, { row, isNew, before, after, password })
    const details = { ...given, ...(password && { password: password.password ? 'generated' : 'given' }) }
    return {
      ...{ row, outcome: isNew ? 'created' : 'updated', password: password?.password },
      audit: { action: isNew ? 'station.create' : 'station.update', targetId: value.id, details },
    }
  })
  await save([...changes.values()], groupIds, session)
  return verdicts
}

/** Sites by id, groups by name. */
async function checkNames(items: readonly Item<StationRow>[], session: Session) {
  const sites = await session.query<{ id: string }>(
    selectSites(unique(items.flatMap(({ value }) => value.siteId ?? []))),
  )
  const groups = await session.query<{ id: string; name: string }>(
    selectGroups(unique(items.flatMap(({ value }) => value.groups ?? []))),
  )
  const siteIds = new Set(sites.map(({ id }) => id))
  const groupIds = new Map(groups.map(({ id, name }) => [name, id]))
  const refusals = new Map<number, string>()
  for (const { row, value } of items) {
    const reasons = [
      ...(value.siteId && !siteIds.has(value.siteId.toLowerCase()) ? [`There is no site ${value.siteId}.`] : []),
      ...(value.groups ?? []).filter((name) => !groupIds.has(name)).map((name) => `There is no group "${name}".`),
    ]
    if (reasons.length > 0) refusals.set(row, reasons.join(' '))
  }
  return { refusals, groupIds }
}

async function save(
  changes: readonly Change[],
  groupIds: ReadonlyMap<string, string>,
  session: Session,
): Promise<void> {
  const updatedAt = new Date()
  await write(
    session,
    updateStations,
    changes.map(({ after: { switches, ...row } }) => ({ ...row, ownSwitches: switches, updatedAt })),
  )
  const reprofiled = changes.filter(({ before, after }) => before.securityProfile !== after.securityProfile)
  const regrouped = changes.filter(({ before, after }) => !isDeepStrictEqual(before.groups, after.groups))
  if (reprofiled.length > 0) await session.query(setProfiles(reprofiled.map(({ after: { id } }) => id)))
  if (regrouped.length > 0) await session.query(leaveGroups(regrouped.map(({ after: { id } }) => id)))
  const members = regrouped.flatMap(({ after: { id: stationId, groups } }) =>
    groups.map((name) => ({ groupId: groupIds.get(name) ?? null, stationId })),
  )
  await write(session, joinGroups, members)
  await setPasswords(
    session,
    changes.flatMap(({ after: { id: stationId }, password }) =>
      password?.hash ? [{ stationId, hash: password.hash }] : [],
    ),
  )
  if (changes.length === 0) return
  await session.query(overlaySwitches(changes.map(({ after: { id } }) => id)))
  await session.query(listSyncJobs())
}

const unique = (values: readonly string[]) => [...new Set(values)]
