import { encodeReading, insertInto, newId } from '@busbar/store'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const insertReadings = insertInto('meter_reading', {
  sampledAt: 'timestamptz',
  receivedAt: 'timestamptz',
  transactionId: 'uuid',
  stationId: 'text',
  reading: 'bytea',
})

const get = async (url: string) => (await api.request('viewer', { url })).json()
const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 10, minute))

const transaction = (minute: number, rest: object = {}) => ({
  id: newId(),
  stationId: 'CS-1',
  protocol: 'ocpp2.0.1',
  naturalKey: newId(),
  status: 'ended',
  tokenValue: 'CARD',
  tokenType: 'ISO14443',
  energyWh: 12_500n,
  createdAt: at(minute),
  updatedAt: at(minute),
  ...rest,
})

test('transactions filter and page, newest first', async () => {
  const rows = [
    transaction(1),
    transaction(2, { heldReasons: ['energy'] }),
    transaction(2, { status: 'active' }),
    transaction(3, { stationId: 'CS-2', tokenValue: null, energyWh: null }),
  ]
  await api.database.prisma.chargingTransaction.createMany({ data: rows })
  const ids = async (query: string) =>
    (await get(`/v1/transactions?${query}`)).items.map(({ id }: { id: string }) =>
      rows.findIndex((row) => row.id === id),
    )

  const first = await get('/v1/transactions?limit=3')
  const second = await get(`/v1/transactions?limit=3&cursor=${first.nextCursor}`)
  // Ids of one millisecond come in no order; the list has one all the same.
  const sameTime = [rows[1], rows[2]].map((row) => row?.id ?? '').sort()
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual([
    rows[3]?.id,
    ...sameTime.reverse(),
    rows[0]?.id,
  ])
  expect(first.items[0]).toMatchObject({ energyWh: null })
  expect(second.items[0]).toMatchObject({ energyWh: 12_500, token: 'CARD' })
  expect(await ids('station=CS-2')).toEqual([3])
  expect(await ids('token=card&status=ended&held=false')).toEqual([0])
  expect(await ids('held=true')).toEqual([1])
  expect(await ids(`from=${at(2).toISOString()}&to=${at(3).toISOString()}&status=active`)).toEqual([2])
})

test('a transaction shows the ids a station knows it by; its steps and readings page', async () => {
  const row = { ...transaction(10), ocppId: 'tx-b' }
  const step = (stepKey: string, seqNo: number) => ({
    transactionId: row.id,
    stepKey,
    stationId: 'CS-1',
    connectionId: 'c-1',
    sequence: BigInt(seqNo),
    kind: 'Updated',
    seqNo,
    at: at(10),
    receivedAt: at(11),
    payload: { triggerReason: '<b>' },
  })
  const reading = (minute: number, value: number) => ({
    sampledAt: at(minute),
    receivedAt: at(minute),
    transactionId: row.id,
    stationId: 'CS-1',
    reading: encodeReading({ evseNumber: 1, connectorNumber: 1, samples: [{ value }] }),
  })
  const { prisma } = api.database
  await prisma.chargingTransaction.create({ data: row })
  await prisma.transactionAlias.createMany({
    data: ['tx-b', 'tx-a'].map((ocppId) => ({ stationId: 'CS-1', ocppId, transactionId: row.id })),
  })
  const stray = { ...transaction(20), protocol: 'ocpp1.6', status: 'orphan' }
  await prisma.chargingTransaction.create({ data: stray })
  await prisma.transactionAlias.create({ data: { stationId: 'CS-1', ocppId: 'stop|abc', transactionId: stray.id } })
  await prisma.transactionStep.createMany({ data: [step('b', 2), step('a', 1)] })
  await api.database.commit([insertReadings([reading(12, 1), reading(12, 2), reading(13, 1.5)])])

  const detail = await get(`/v1/transactions/${row.id}`)
  const first = await get(`/v1/transactions/${row.id}/readings?limit=2`)
  const second = await get(`/v1/transactions/${row.id}/readings?limit=2&cursor=${first.nextCursor}`)

  expect(detail).toMatchObject({ ocppId: 'tx-b', ocppIds: ['tx-a', 'tx-b'] })
  expect(await get(`/v1/transactions/${stray.id}`)).toMatchObject({ ocppId: null, ocppIds: [] })
  const firstStep = await get(`/v1/transactions/${row.id}/steps?limit=1`)
  expect(firstStep.items).toMatchObject([{ seqNo: 1, payload: { triggerReason: '<b>' } }])
  const secondStep = await get(`/v1/transactions/${row.id}/steps?limit=1&cursor=${firstStep.nextCursor}`)
  expect(secondStep).toMatchObject({ items: [{ seqNo: 2 }], nextCursor: null })
  expect(first.items).toHaveLength(2)
  expect(second).toEqual({
    items: [
      {
        sampledAt: at(13).toISOString(),
        receivedAt: at(13).toISOString(),
        evse: 1,
        connector: 1,
        samples: [{ value: 1.5 }],
      },
    ],
    nextCursor: null,
  })
  expect((await api.request('viewer', { url: `/v1/transactions/${newId()}` })).statusCode).toBe(404)
})

test.each([
  ['token=CARD-7', 'charging_transaction_folded_token_idx'],
  ['held=true', 'charging_transaction_held_idx'],
])('transactions with %s are found without reading all of them', async (query, index) => {
  await api.database.query({
    text: `INSERT INTO charging_transaction (id, station_id, protocol, natural_key, token_value, status, created_at, updated_at)
           SELECT gen_random_uuid(), 'M-1', 'ocpp1.6', 'many-' || $1 || n, 'card-' || n, 'ended', now(), now()
           FROM generate_series(1, 20000) AS n`,
    values: [query],
  })
  await api.database.query({ text: 'ANALYZE charging_transaction', values: [] })
  const asked = vi.spyOn(api.database, 'query')
  await get(`/v1/transactions?${query}`)
  const search = asked.mock.calls
    .map(([statement]) => statement)
    .find(({ text }) => text.includes('charging_transaction t'))
  asked.mockRestore()

  const plan = await api.database.query({ text: `EXPLAIN ${search?.text}`, values: search?.values ?? [] })

  expect(JSON.stringify(plan)).toContain(index)
})

test('a page of the journal ends where its frames grow long: a station may send many of 4 MiB', async () => {
  const at = new Date('2026-03-01T10:00:00Z')
  const row = { stationId: 'J-long', connectionId: 'c', direction: 'in', protocol: 'ocpp1.6', kind: 'call', at }
  const lengths = [1_000, 3_000_000, 3_000_000, 10, 5_000_000, 10]
  await api.database.prisma.journalFrame.createMany({
    data: lengths.map((length, sequence) => ({ ...row, sequence, frame: Buffer.alloc(length, 'x') })),
  })
  const pages: number[][] = []
  let cursor = ''
  do {
    const page = await get(`/v1/journal?station=J-long&limit=5${cursor && `&cursor=${cursor}`}`)
    pages.push(page.items.map(({ frame }: { frame: string }) => frame.length))
    cursor = page.nextCursor
  } while (cursor)

  expect(pages).toEqual([[10, 5_000_000], [10, 3_000_000, 3_000_000], [1_000]])
})

test('the journal finds frames by station, time, action, message id and direction', async () => {
  const frame = (minute: number, rest: object = {}) => ({
    at: at(minute),
    stationId: 'J-1',
    connectionId: 'c-1',
    direction: 'in',
    sequence: BigInt(minute),
    protocol: 'ocpp1.6',
    kind: 'call',
    action: 'Authorize',
    messageId: `m-${minute}`,
    frame: Buffer.from('[2,"m","Authorize",{}]'),
    ...rest,
  })
  await api.database.prisma.journalFrame.createMany({
    data: [
      frame(1),
      frame(2, { direction: 'out', kind: 'result' }),
      frame(3, { action: null, kind: 'broken', frame: Buffer.from([0xff, 0xfe, 0x00]) }),
      frame(4, { stationId: 'J-2' }),
    ],
  })
  const minutes = async (query: string) =>
    (await get(`/v1/journal?${query}`)).items.map(({ sequence }: { sequence: number }) => sequence)

  expect(await minutes('station=J-1')).toEqual([3, 2, 1])
  expect(await minutes('station=J-1&direction=out')).toEqual([2])
  expect(await minutes('messageId=m-4')).toEqual([4])
  expect(await minutes(`station=J-1&action=Authorize&from=${at(2).toISOString()}&to=${at(4).toISOString()}`)).toEqual([
    2,
  ])
  const first = await get('/v1/journal?station=J-1&limit=1')
  expect(first.items[0]).toMatchObject({ kind: 'broken', encoding: 'base64', frame: '//4A' })
  const second = await get(`/v1/journal?station=J-1&limit=2&cursor=${first.nextCursor}`)
  expect(second.items).toMatchObject([
    { sequence: 2 },
    { sequence: 1, frame: '[2,"m","Authorize",{}]', encoding: 'utf-8' },
  ])
})

test('the audit log pages through entries of one moment, and of a span of time', async () => {
  const entry = (second: number) => ({
    ...{ actor: 'a', action: 'x.y', targetType: 'paged', targetId: 'p', details: {} },
    at: new Date(Date.UTC(2025, 0, 1, 0, 0, second)),
  })
  await api.database.prisma.auditEntry.createMany({ data: [0, 1, 1, 1, 1, 1, 2, 3].map(entry) })
  const pages = async (query: string) => {
    const seconds: number[] = []
    const ids = new Set<number>()
    let cursor: string | null = ''
    while (cursor !== null) {
      const url: string = `/v1/audit?limit=2&${query}${cursor && `&cursor=${cursor}`}`
      const page = (await api.request('auditor', { url })).json()
      for (const { id, at } of page.items) seconds.push(new Date(at).getUTCSeconds()) && ids.add(id)
      cursor = page.nextCursor
    }
    expect(ids.size).toBe(seconds.length)
    return seconds
  }

  expect(await pages('targetType=paged')).toEqual([3, 2, 1, 1, 1, 1, 1, 0])
  expect(await pages('targetType=paged&from=2025-01-01T00:00:01Z&to=2025-01-01T00:00:03Z')).toEqual([2, 1, 1, 1, 1, 1])
})

test('a dead letter is shown without secrets and given to its service again', async () => {
  const letter = (value: string) => ({
    id: newId(),
    service: 'commands',
    topic: 'busbar.commands',
    partition: 1,
    offset: BigInt(Math.floor(Math.random() * 1e9)),
    stationId: 'CS-1',
    headers: { type: 'call', protocol: 'ocpp1.6', action: 'ChangeConfiguration' },
    value: Buffer.from(value),
    error: 'Error: a bug',
    createdAt: at(1),
  })
  const row = letter('[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2hunter2"}]')
  await api.database.prisma.deadLetter.create({ data: row })

  const list = await api.request('viewer', {
    url: '/v1/dead-letters?state=open&service=commands&action=ChangeConfiguration&error=a%20bug',
  })
  const replay = (id: string) => api.request('operator', { method: 'POST', url: `/v1/dead-letters/${id}/replay` })

  expect(list.json().items).toMatchObject([{ id: row.id, error: 'Error: a bug', replayedAt: null }])
  expect(list.body).not.toContain('hunter2')
  expect((await replay(row.id)).statusCode).toBe(202)
  expect(api.replayed).toEqual([row.id])
  expect((await replay(newId())).statusCode).toBe(404)
  expect(api.replayed).toHaveLength(1)
  const audit = await api.request('auditor', { url: '/v1/audit?targetType=dead-letter' })
  expect(audit.json().items).toMatchObject([{ action: 'dead-letter.replay', targetId: row.id }])
  const shown = await api.request('viewer', { url: `/v1/dead-letters/${row.id}` })
  expect(shown.json()).toMatchObject({ id: row.id, frame: expect.stringContaining('"value":"***"') })
  expect(shown.body).not.toContain('hunter2')
})

describe('many dead letters', () => {
  const ids: string[] = []
  const post = (url: string, payload: object) =>
    api.request('operator', { method: 'POST', url: `/v1/dead-letters${url}`, payload })
  const count = async (state: string) =>
    (await api.request('viewer', { url: `/v1/dead-letters?state=${state}&station=CS-many` })).json().items.length

  beforeAll(async () => {
    for (let offset = 0n; offset < 4n; offset += 1n) {
      ids.push(newId())
      await api.database.prisma.deadLetter.create({
        data: {
          id: ids.at(-1) ?? '',
          service: 'transactions',
          topic: 'busbar.ocpp.transactions',
          partition: 0,
          offset,
          stationId: 'CS-many',
          headers: { type: 'call', protocol: 'ocpp1.6', action: offset < 2n ? 'StopTransaction' : 'MeterValues' },
          value: Buffer.from('[]'),
          error: 'TypeError: a bug',
          createdAt: at(Number(offset)),
        },
      })
    }
  })

  test('a discarded one is not replayed, and why it went stands in the audit log', async () => {
    expect((await post(`/${ids[0]}/discard`, {})).statusCode).toBe(400)
    expect((await post(`/${ids[0]}/discard`, { reason: 'a test station' })).statusCode).toBe(204)
    expect((await post(`/${ids[0]}/discard`, { reason: 'again' })).statusCode).toBe(409)
    expect((await post(`/${newId()}/discard`, { reason: 'nothing' })).statusCode).toBe(404)
    expect((await post(`/${ids[0]}/replay`, {})).statusCode).toBe(409)

    const shown = (await api.request('viewer', { url: `/v1/dead-letters/${ids[0]}` })).json()
    expect(shown).toMatchObject({ state: 'discarded', discardReason: 'a test station', replayedAt: null })
    const audit = await api.request('auditor', { url: `/v1/audit?targetId=${ids[0]}` })
    expect(audit.json().items).toMatchObject([{ action: 'dead-letter.discard', details: { reason: 'a test station' } }])
  })

  test('one that is replayed at the same moment is not discarded, and the audit log says no such thing', async () => {
    const { database } = api
    const id = ids[3]
    const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'`

    const answer = await database.session(async (replaying) => {
      await replaying.query({ text: 'BEGIN', values: [] })
      await replaying.query({ text: 'UPDATE dead_letter SET replayed_at = now() WHERE id = $1::uuid', values: [id] })
      const discarding = post(`/${id}/discard`, { reason: 'at the same moment' })
      await vi.waitFor(async () => expect(await database.query({ text: waiting, values: [] })).toHaveLength(1))
      await replaying.query({ text: 'COMMIT', values: [] })
      return discarding
    })

    expect(answer.statusCode).toBe(409)
    const shown = (await api.request('viewer', { url: `/v1/dead-letters/${id}` })).json()
    expect(shown).toMatchObject({ state: 'replayed', discardedAt: null })
    expect((await api.request('auditor', { url: `/v1/audit?targetId=${id}` })).json().items).toEqual([])
  })

  test('go by what they have in common, or by their ids; an entry of the audit log each', async () => {
    const before = api.replayed.length
    const byAction = await post('/replay', { station: 'CS-many', action: 'StopTransaction' })
    const byId = await post('/replay', { ids: [ids[0], ids[2]] })

    expect(byAction.json()).toEqual({ replayed: 1, more: false })
    expect(byId.json()).toEqual({ replayed: 1, more: false })
    expect(api.replayed.slice(before)).toEqual([ids[1], ids[2]])
    expect([await count('open'), await count('discarded')]).toEqual([0, 1])
    for (const wish of [{}, { ids: [ids[1]], service: 'x' }, { ids: [] }, { all: true }]) {
      expect((await post('/replay', wish)).statusCode, JSON.stringify(wish)).toBe(400)
    }
    const audit = await api.request('auditor', { url: `/v1/audit?targetId=${ids[2]}` })
    expect(audit.json().items).toMatchObject([{ action: 'dead-letter.replay' }])
  })
})
