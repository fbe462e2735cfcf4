import { createTestDatabase, newId, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { playBatch } from '../pipeline/testing-batches.js'
import { localListsPart } from './part.js'
import { commandId, commandsOf, due, later, listNews, now, off, on, versionNews } from './testing.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db?.drop())

const query = (text: string) => db.database.query<Record<string, unknown>>({ text, values: [] })

beforeEach(async () => {
  await query(
    'TRUNCATE local_list, local_list_entry, token, token_group, station, station_state, variable, command CASCADE',
  )
  await query(`INSERT INTO station (id, folded_id, switches, updated_at)
    SELECT id, id, '{"localListSync": true, "localListFallback": true}', now() FROM unnest('{CP-1,CP-2}'::text[]) AS s(id)`)
  await query(`INSERT INTO station_state (station_id, online, registration, protocol)
    SELECT id, true, 'Accepted', 'ocpp1.6' FROM station`)
})

async function batch(...records: InboundRecord[]) {
  const decisions = await playBatch(localListsPart, db.database, records)
  return commandsOf(decisions).map(({ action, payload }) => ({ action, payload }))
}

async function register(...values: (string | { value: string; [field: string]: unknown })[]): Promise<void> {
  for (const each of values) {
    const { value, ...rest } = typeof each === 'string' ? { value: each } : each
    await db.database.prisma.token.create({
      data: { id: newId(), value, foldedValue: value.toLowerCase(), type: 'ISO14443', ...rest },
    })
  }
}

const entries = (station = 'CP-1') =>
  query(`SELECT id_tag FROM local_list_entry WHERE station_id = '${station}' ORDER BY 1`).then((rows) =>
    rows.map(({ id_tag }) => id_tag),
  )
const list = async () => (await query("SELECT version, state, known FROM local_list WHERE station_id = 'CP-1'"))[0]

test('lists are stored as they are accepted, each of its own station', async () => {
  const full = { version: 3, items: [on('A'), on('B')] }
  await batch(listNews('accepted', full), listNews('accepted', { ...full, version: 8 }, { station: 'CP-2' }))
  await batch(listNews('accepted', { mode: 'Differential', version: 4, items: [off('a'), on('C')] }))
  expect(await entries()).toEqual(['B', 'C'])
  expect(await entries('CP-2')).toEqual(['A', 'B'])
  expect(await list()).toEqual({ version: 4, state: 'accepted', known: true })

  await batch(listNews('accepted', { version: 5 }))
  expect(await entries()).toEqual([])
  expect(await entries('CP-2')).toEqual(['A', 'B'])
})

test('a version beyond 32 bits, told or sent, does not cost the batch its other lists', async () => {
  const huge = 3_000_000_000
  const full = { version: 3, items: [on('A')] }
  await batch(listNews('accepted', full))

  await batch(versionNews('accepted', huge), listNews('accepted', full, { station: 'CP-2' }))
  expect(await list()).toEqual({ version: 3, state: 'accepted', known: true })
  expect(await entries('CP-2')).toEqual(['A'])

  await batch(listNews('accepted', { version: huge, items: [on('B')] }, { command: 2 }))
  expect(await list()).toEqual({ version: 3, state: 'accepted', known: false })
})

test('a full list made for a station holds the tokens that 1.6 can use, with what is to be known of them', async () => {
  await db.database.prisma.tokenGroup.create({ data: { id: 'FLEET' } })
  const expiresAt = later(3600)
  await register(
    { value: 'Card', groupId: 'FLEET', expiresAt },
    { value: 'Blocked', status: 'blocked' },
    { value: 'Expired', expiresAt: later(-1) },
    { value: '1234', type: 'KeyCode' },
    'a contract of more than 20 characters',
    // Registered as a card, which is what the station would take it for: that one is blocked.
    { value: 'Twice', status: 'blocked' },
    { value: 'Twice', type: 'Central' },
  )
  expect(await batch(due())).toEqual([
    {
      action: 'SendLocalList',
      payload: {
        updateType: 'Full',
        localAuthorizationList: [on('Card', { expiryDate: expiresAt.toISOString(), parentIdTag: 'FLEET' })],
      },
    },
  ])
})

test('a station in step gets only what differs from what it holds', async () => {
  await register('A', 'B', 'C')
  await batch(listNews('accepted', { version: 1, items: [on('A'), on('B'), on('C')] }))
  expect(await batch(due())).toEqual([])

  await query("DELETE FROM token WHERE value = 'A'")
  await query("UPDATE token SET status = 'blocked' WHERE value = 'B'")
  await register('D')
  const [command] = await batch(due())
  expect(command).toEqual({
    action: 'SendLocalList',
    payload: { updateType: 'Differential', localAuthorizationList: [off('A'), off('B'), on('D')] },
  })
  // On its way: the next look waits for what becomes of it.
  expect(await batch(due())).toEqual([])
  await batch(listNews('accepted', { mode: 'Differential', version: 2, items: [off('A'), off('B'), on('D')] }))
  expect(await batch(due())).toEqual([])
})

test('UC16-List-1: the full list after a refused differential is what the list was to become', async () => {
  await query(`UPDATE station SET switches = '{"localListFallback": true}'`)
  await batch(listNews('accepted', { version: 1, items: [on('A'), on('B')] }))
  const items = [off('A'), on('C')]
  await query(`INSERT INTO command (id, station_id, action, payload, requested_by, idempotency_key, request_hash, status, created_at, expires_at)
    VALUES ('${commandId(2)}', 'CP-1', 'SendLocalList', '${JSON.stringify({ localAuthorizationList: items })}', 'k', 'k', 'h', 'rejected', now(), now())`)
  const refused = { mode: 'Differential' as const, version: 2, items }
  expect(await batch(listNews('rejected', refused, { command: 2, status: 'VersionMismatch' }))).toEqual([
    { action: 'GetLocalListVersion', payload: {} },
  ])
  expect(await batch(versionNews('accepted', 7, { requestedBy: 'stations' }))).toEqual([
    { action: 'SendLocalList', payload: { updateType: 'Full', localAuthorizationList: [on('B'), on('C')] } },
  ])
  expect(await batch(versionNews('accepted', 7, { requestedBy: 'stations' }))).toEqual([])
})

test('no list is made that is longer than the station has said it can hold', async () => {
  const key = { component: '', componentKey: '', variable: 'LocalAuthListMaxLength', attributeType: 'Actual' }
  await db.database.prisma.variable.create({
    data: { ...key, variableKey: 'localauthlistmaxlength', stationId: 'CP-1', value: '1', updatedAt: now },
  })
  await register('A', 'B')
  expect(await batch(due(), due('CP-2'))).toHaveLength(1)
})

test('a thousand tokens on the lists of fifty stations are compared in Postgres, and only differences are read', async () => {
  await query(`INSERT INTO token (id, value, folded_value, type, updated_at)
    SELECT gen_random_uuid(), 'T' || n, 't' || n, 'ISO14443', now() FROM generate_series(1, 1000) AS n`)
  await query(`INSERT INTO station (id, folded_id, switches, updated_at)
    SELECT 'S' || n, 's' || n, '{"localListSync": true}', now() FROM generate_series(1, 50) AS n`)
  await query(`INSERT INTO local_list (station_id, version, state, known, updated_at)
    SELECT id, 1, 'accepted', true, now() FROM station WHERE id LIKE 'S%'`)
  await query(`INSERT INTO local_list_entry (station_id, folded_tag, id_tag, status)
    SELECT s.id, t.folded_value, t.value, 'Accepted' FROM station s, token t WHERE s.id LIKE 'S%' AND t.value <> 'T7'`)
  const records = Array.from({ length: 50 }, (_, index) => due(`S${index + 1}`))
  const state = await localListsPart.load(db.database, records, new Date())
  expect(state.rows.changes).toHaveLength(50)
  expect(state.rows.changes?.every(({ idTag }) => idTag === 'T7')).toBe(true)
})
