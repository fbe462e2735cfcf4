import { deleteFrom, type Session, sql, upsertInto } from '@busbar/store'
import { z } from 'zod'
import { anyPassword, password } from '../routes/station-schemas.js'
import { stationId } from '../schemas.js'
import { type ImportKind, type Item, type Verdict, write } from './import.js'
import { type PreparedPassword, preparePasswords } from './passwords.js'

const Secret = z.strictObject({ stationId, password: anyPassword.optional() })
type Secret = z.infer<typeof Secret>

const lockStations = sql(`
  SELECT s.id, coalesce((s.switches->>'anyPassword')::boolean, false) AS "takesAny",
    EXISTS (SELECT FROM station_secret c WHERE c.station_id = s.id AND c.slot = 'current') AS "hasSecret"
  FROM station s WHERE s.id = ANY($1) ORDER BY s.id FOR UPDATE OF s`)
const upsertSecrets = upsertInto(
  'station_secret',
  { stationId: 'text', slot: 'text', hash: 'text', createdAt: 'timestamptz' },
  ['stationId', 'slot'],
)
const deletePending = deleteFrom('station_secret', { stationId: 'text', slot: 'text' })

/** As `PUT /v1/stations/{id}/secret`: a password given, or made where there is none. */
export const secrets: ImportKind<Secret, ReadonlyMap<number, PreparedPassword>> = {
  name: 'secrets',
  cells: { stationId: 'text', password: 'text' },
  value: Secret,
  keyOf: ({ stationId }) => ({ identity: stationId, shown: stationId }),
  prepare: (items, context) =>
    preparePasswords(
      context,
      items.map(({ row, value }) => ({ row, stationId: value.stationId, given: value.password ?? null })),
    ),
  apply: async (items, session, prepared) => {
    const ids = items.map(({ value }) => value.stationId)
    const rows = await session.query<{ id: string; takesAny: boolean; hasSecret: boolean }>(lockStations(ids))
    const stations = new Map(rows.map((row) => [row.id, row]))
    const verdicts = items.map(({ row, value }): Verdict => {
      const station = stations.get(value.stationId)
      if (!station) return { row, outcome: 'refused', reason: 'There is no such station.' }
      if (value.password !== undefined && !station.takesAny && !password.safeParse(value.password).success) {
        const reason = 'A password has at least 16 characters, unless the switch anyPassword is set.'
        return { row, outcome: 'refused', reason }
      }
      if (prepared.get(row)?.hash === null) return { row, outcome: 'unchanged' }
      const details = { slot: 'current', password: value.password === undefined ? 'generated' : 'given' }
      return {
        ...{ row, outcome: station.hasSecret ? 'updated' : 'created', password: prepared.get(row)?.password },
        audit: { action: 'station.set-secret', targetId: value.stationId, details },
      }
    })
    const changed = new Set(verdicts.filter(({ audit }) => audit).map(({ row }) => row))
    await saveSecrets(session, items, changed, prepared)
    return verdicts
  },
}

async function saveSecrets(
  session: Session,
  items: readonly Item<Secret>[],
  changed: ReadonlySet<number>,
  prepared: ReadonlyMap<number, PreparedPassword>,
): Promise<void> {
  const set = items.filter(({ row }) => changed.has(row))
  await setPasswords(
    session,
    set.map(({ row, value }) => ({ stationId: value.stationId, hash: prepared.get(row)?.hash ?? '' })),
  )
}

/** For good: a password that was pending opens no door any more. */
export async function setPasswords(
  session: Session,
  rows: readonly { stationId: string; hash: string }[],
): Promise<void> {
  const createdAt = new Date()
  await write(
    session,
    upsertSecrets,
    rows.map((row) => ({ ...row, slot: 'current', createdAt })),
  )
  await write(
    session,
    deletePending,
    rows.map(({ stationId }) => ({ stationId, slot: 'pending' })),
  )
}
