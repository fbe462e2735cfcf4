import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from './new-id.js'
import { deleteFrom, insertInto, selectFrom, sql, updateRows, upsertInto } from './rows.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
  await store.database.query({
    text: `CREATE TABLE sample (id text PRIMARY KEY, unique_id uuid, flag bool, small int2, number int4, big int8,
      real float8, price numeric(18,6), on_day date, at timestamptz(3), bytes bytea, json jsonb, list text[])`,
    values: [],
  })
})
afterAll(() => store.drop())

const columns = {
  id: 'text',
  uniqueId: 'uuid',
  flag: 'bool',
  small: 'int2',
  number: 'int4',
  big: 'int8',
  real: 'float8',
  price: 'numeric',
  onDay: 'date',
  at: 'timestamptz',
  bytes: 'bytea',
  json: 'jsonb',
  list: 'text[]',
} as const
const insertSamples = insertInto('sample', columns)
const selectSamples = selectFrom('sample', Object.keys(columns), { id: 'text' }, 'ORDER BY t.id')
const find = async (...ids: string[]) => store.database.query(selectSamples(ids.map((id) => ({ id }))))

const full = {
  id: 'full',
  uniqueId: newId(),
  flag: false,
  small: -1,
  number: 2_147_483_647,
  big: 9007199254740993n,
  real: 0.1,
  price: '12.340000',
  onDay: '2031-01-02',
  at: new Date('2031-01-02T03:04:05.678Z'),
  bytes: Buffer.from([0, 1, 255]),
  json: { text: '"\\ {} \u{1f50c}', list: [1, [2], null] },
  list: ['plain', '', 'NULL', 'a,b', '{x}', 'quo"te', 'back\\slash', ' spaced ', 'line\nbreak'],
}
const empty = Object.fromEntries(Object.keys(columns).map((name) => [name, name === 'id' ? 'empty' : null]))

test('every type comes back as it went, in one statement for all rows', async () => {
  await store.database.commit([insertSamples([full, { id: 'empty' }])])

  expect(await find('full', 'empty', 'absent')).toEqual([empty, full])
})

test('a list, a JSON list and JSON null keep apart from NULL', async () => {
  await store.database.commit([insertSamples([{ id: 'lists', json: [], list: [] }])])

  expect(await find('lists')).toMatchObject([{ json: [], list: [] }])
})

test('a date takes the UTC day, and a bare byte array is bytes', async () => {
  const row = { id: 'day', onDay: new Date('2031-06-30T23:59:59.999Z'), bytes: new Uint8Array([1, 2]) }
  await store.database.commit([insertSamples([row])])

  expect(await find('day')).toMatchObject([{ onDay: '2031-06-30', bytes: Buffer.from([1, 2]) }])
})

test('no rows is a statement that does nothing', async () => {
  expect(await store.database.commit([insertSamples([]), selectSamples([])])).toEqual([[], []])
})

test('an upsert overwrites what it names and keeps the rest', async () => {
  const columns = { id: 'text', number: 'int4', list: 'text[]' } as const
  await store.database.commit([
    insertSamples([{ id: 'up', number: 1, small: 1, list: ['a'] }]),
    upsertInto('sample', columns, ['id'])([
      { id: 'up', number: 2, list: ['b', 'c'] },
      { id: 'new', number: 3 },
    ]),
    upsertInto('sample', columns, ['id'], ['number'])([{ id: 'up', number: 4, list: [] }]),
  ])

  expect(await find('up', 'new')).toMatchObject([
    { id: 'new', number: 3, list: null },
    { id: 'up', number: 4, small: 1, list: ['b', 'c'] },
  ])
})

test('an update changes rows that exist, under its condition', async () => {
  const update = updateRows(
    'sample',
    { id: 'text', number: 'int4', list: 'text[]' },
    ['id'],
    'AND t.number < r.number RETURNING t.id',
  )
  await store.database.commit([insertSamples(['u1', 'u2'].map((id) => ({ id, number: 10 })))])

  const [changed] = await store.database.commit([
    update([
      { id: 'u1', number: 11, list: ['x'] },
      { id: 'u2', number: 9 },
      { id: 'absent', number: 99 },
    ]),
  ])

  expect(changed).toEqual([{ id: 'u1' }])
  expect(await find('u1', 'u2')).toMatchObject([
    { number: 11, list: ['x'] },
    { number: 10, list: null },
  ])
})

test('a delete removes the rows with these keys', async () => {
  await store.database.commit([insertSamples([{ id: 'd1' }, { id: 'd2' }])])

  await store.database.commit([deleteFrom('sample', { id: 'text' })([{ id: 'd1' }, { id: 'absent' }])])

  expect(await find('d1', 'd2')).toMatchObject([{ id: 'd2' }])
})

test('a fixed text is prepared under a name of its own', async () => {
  const add = sql('SELECT $1::int + $2::int AS sum')

  expect(await store.database.commit([add(1, 2), add(3, 4)])).toEqual([[{ sum: 3 }], [{ sum: 7 }]])
  expect(add(1, 2).name).not.toBe(sql('SELECT 1')().name)
})
