import { newId, UnavailableError } from '@busbar/store'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())
beforeEach(() => api.database.prisma.chargingTransaction.deleteMany())

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 10, minute))

const transaction = (minute: number, rest: object = {}) => ({
  id: newId(),
  stationId: 'CS-1',
  protocol: 'ocpp1.6',
  naturalKey: newId(),
  status: 'ended',
  tokenValue: 'CARD',
  energyWh: 12_500n,
  startedAt: at(minute),
  endedAt: at(minute + 30),
  createdAt: at(minute),
  updatedAt: at(minute + 30),
  ...rest,
})
const keep = (rows: ReturnType<typeof transaction>[]) =>
  api.database.prisma.chargingTransaction.createMany({ data: rows })
const exported = async (query = '') => {
  const response = await api.request('viewer', { url: `/v1/transactions/export?${query}` })
  expect(response.statusCode).toBe(200)
  return response
}
type Row = Record<string, string>
const csv = async (query = '') => parse((await exported(query)).body, { columns: true }) as Row[]
const json = async (query = '') => JSON.parse((await exported(`format=json&${query}`)).body)

test('CSV and JSON hold the same transactions, oldest first, energy as whole Wh', async () => {
  const [older, newer] = [transaction(1), transaction(2, { energyWh: 999_999_999_999n, ocppId: '77', evseNumber: 2 })]
  await keep([newer, older])

  const response = await exported()
  expect(response.headers['content-type']).toBe('text/csv; charset=utf-8')
  expect(response.headers['content-disposition']).toBe('attachment; filename="transactions.csv"')
  expect(response.body.split('\r\n')[0]).toMatch(/^id,stationId,evse,/)
  expect(await csv()).toMatchObject([
    { id: older.id, stationId: 'CS-1', energyWh: '12500', startedAt: '2026-01-01T10:01:00.000Z', corrections: '0' },
    { id: newer.id, energyWh: '999999999999', evse: '2', ocppId: '77', heldReasons: '', correctedBy: '' },
  ])
  expect(await json()).toMatchObject([
    { id: older.id, energyWh: 12_500, corrections: [] },
    { id: newer.id, energyWh: 999_999_999_999, heldReasons: [] },
  ])
})

test('nothing is an empty list, and a header alone', async () => {
  expect(await json('station=NOBODY')).toEqual([])
  expect((await exported('station=NOBODY')).body.trim().split('\r\n')).toHaveLength(1)
})

test('held transactions are left out unless asked for, and marked then', async () => {
  const held = transaction(2, { energyWh: -50n, heldReasons: ['negative-energy', 'unit-mixed'] })
  await keep([transaction(1), held])

  expect(await csv()).toHaveLength(1)
  expect((await csv('includeHeld=true')).map(({ heldReasons, energyWh }) => [heldReasons, energyWh])).toEqual([
    ['', '12500'],
    ['negative-energy|unit-mixed', '-50'],
  ])
})

test('it is narrowed as the list is', async () => {
  const { prisma } = api.database
  await prisma.station.create({ data: { id: 'IN', foldedId: 'in' } })
  const group = { id: newId(), name: 'Exported' }
  await prisma.stationGroup.create({ data: { ...group, members: { create: { stationId: 'IN' } } } })
  const rows = [
    transaction(1, { stationId: 'IN' }),
    transaction(2, { tokenValue: 'Other' }),
    transaction(3, { status: 'active', endedAt: null }),
    transaction(4, { status: 'orphan' }),
  ]
  await keep(rows)
  const indexes = async (query: string) => {
    const found = (await csv(query)).map(({ id }) => rows.findIndex((row) => row.id === id))
    const listed = (await api.request('viewer', { url: `/v1/transactions?${query}` })).json().items
    expect(listed.map(({ id }: Row) => rows.findIndex((row) => row.id === id)).reverse()).toEqual(found)
    return found
  }

  expect(await indexes('station=IN')).toEqual([0])
  expect(await indexes(`group=${group.id}`)).toEqual([0])
  expect(await indexes('token=OTHER')).toEqual([1])
  expect(await indexes('status=orphan')).toEqual([3])
  expect(await indexes(`from=${at(2).toISOString()}&to=${at(4).toISOString()}`)).toEqual([1, 2])
})

test('a session that runs at the cut-off of months is in the month of its end, and in no other', async () => {
  const cutOff = new Date(Date.UTC(2026, 1, 1))
  const around = (from: number, to: number, rest: object = {}) => {
    const minute = (count: number) => new Date(cutOff.getTime() + count * 60_000)
    return transaction(0, { startedAt: minute(from), createdAt: minute(from), endedAt: minute(to), ...rest })
  }
  const before = around(-60, -1)
  const across = around(-60, 30)
  const atCutOff = around(-30, 0)
  const toldLate = around(-120, -60, { createdAt: new Date(Date.UTC(2026, 1, 3)) })
  await keep([before, across, atCutOff, toldLate, around(-60, 0, { status: 'active', endedAt: null })])
  const ids = async (query: string) => {
    const found = (await csv(query)).map(({ id }) => id)
    const listed = (await api.request('viewer', { url: `/v1/transactions?${query}` })).json().items
    expect(new Set(listed.map(({ id }: Row) => id))).toEqual(new Set(found))
    return new Set(found)
  }

  const [january, february] = await Promise.all([
    ids('endedFrom=2026-01-01T00:00:00Z&endedTo=2026-02-01T00:00:00Z'),
    ids('endedFrom=2026-02-01T00:00:00Z&endedTo=2026-03-01T00:00:00Z&status=ended'),
  ])

  expect(january).toEqual(new Set([before.id, toldLate.id]))
  expect(february).toEqual(new Set([across.id, atCutOff.id]))
})

test.each(['=1+1', '+1', '-1', '@cmd', '\tx', '\rx', '＝1'])(
  'a spreadsheet takes the text %j for no formula',
  async (value) => {
    await keep([transaction(1, { tokenValue: value, stoppedReason: `"quoted", ${value}` })])

    const [row] = await csv()
    expect(row).toMatchObject({ token: `'${value}`, stoppedReason: `"quoted", ${value}` })
    expect((await json())[0].token).toBe(value)
  },
)

test('a corrected transaction says by whom, when, why, and what it was before', async () => {
  const row = transaction(1, { energyWh: 4_200n })
  await keep([row])
  const totals = (energyWh: number) => ({ status: 'ended', startedAt: null, endedAt: null, energyWh, heldReasons: [] })
  const correction = (minute: number, rest: object = {}) => ({
    id: newId(),
    transactionId: row.id,
    stationId: 'CS-1',
    kind: 'correct',
    status: 'applied',
    actor: 'Olga/key-1',
    reason: 'Meter read',
    before: totals(2_500),
    after: totals(4_200),
    at: at(minute),
    ...rest,
  })
  const refused = correction(90, { status: 'refused', refusal: 'No.' })
  const close = correction(70, { kind: 'close', reason: 'No Stop' })
  await api.database.prisma.transactionCorrection.createMany({ data: [correction(80), close, refused] })

  expect(await csv()).toMatchObject([
    {
      ...{ energyWh: '4200', energyWhBefore: '2500', corrections: '2' },
      ...{ correctedBy: 'Olga/key-1', correctionReason: 'Meter read', correctedAt: at(80).toISOString() },
    },
  ])
  expect((await json())[0].corrections).toMatchObject([
    { kind: 'close' },
    { kind: 'correct', before: { energyWh: 2_500 } },
  ])
})

test('what cannot be read from its start is a problem, and no export of nothing', async () => {
  const query = api.database.query.bind(api.database)
  const broken = vi
    .spyOn(api.database, 'query')
    .mockImplementation((statement) =>
      statement.text.includes('charging_transaction t')
        ? Promise.reject(new UnavailableError('away'))
        : query(statement),
    )

  const response = await api.request('viewer', { url: '/v1/transactions/export' })

  broken.mockRestore()
  expect(response.statusCode).toBe(503)
  expect(response.headers['content-type']).toContain('application/problem+json')
  expect(response.headers['retry-after']).toBe('5')
  expect(response.headers).not.toHaveProperty('content-disposition')
})

test('an export of many pages is whole and in order, and what comes meanwhile is left for the next', async () => {
  const rows = Array.from({ length: 2_345 }, (_, index) =>
    transaction(Math.floor(index / 900), { ocppId: String(index) }),
  )
  await keep(rows)
  const inOrder = rows
    .toSorted((left, right) => Number(left.createdAt) - Number(right.createdAt) || (left.id < right.id ? -1 : 1))
    .map(({ id }) => id)
  await keep([transaction(1, { createdAt: new Date(Date.now() + 3_600_000) })])

  expect((await csv()).map(({ id }) => id)).toEqual(inOrder)
  expect((await json()).map(({ id }: Row) => id)).toEqual(inOrder)
})

test.each(['format=xml', 'includeHeld=maybe', 'group=depot', 'status=over'])('%s is refused', async (query) => {
  expect((await api.request('viewer', { url: `/v1/transactions/export?${query}` })).statusCode).toBe(400)
})
