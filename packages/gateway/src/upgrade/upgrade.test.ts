import { connect as connectTcp } from 'node:net'
import { type ChannelMessage, gatewaysChannel, refusedChannel } from '@busbar/backbone'
import { expect, test } from 'vitest'
import { type Refused, startTestGateway as start, stationRecord, testPassword, testVault, until } from '../testing.js'

async function statusOf(attempt: Promise<unknown>): Promise<number> {
  return await attempt.then(
    () => 101,
    (refused: Refused) => refused.status,
  )
}

test('an unknown station is 404, wrong credentials are 401, and nothing of either is stored', async () => {
  const { connect, gateway, log, redis } = await start()

  expect(await statusOf(connect({ id: 'UNKNOWN' }))).toBe(404)
  expect(await statusOf(connect({ password: 'wrong' }))).toBe(401)
  expect(await statusOf(connect({ password: null }))).toBe(401)
  expect(await statusOf(connect({ username: 'CP1x' }))).toBe(401)

  expect(log.records).toEqual([])
  expect(redis.owners.size).toBe(0)
  expect(gateway.refused()).toMatchObject([
    { stationId: 'CP1', reason: 'credentials', count: 3, address: '127.0.0.1' },
    { stationId: 'UNKNOWN', reason: 'unknown', count: 1 },
  ])
})

test('a success takes the station off the list of refused', async () => {
  const { connect, gateway } = await start()
  await statusOf(connect({ password: 'wrong' }))

  await connect()

  expect(gateway.refused()).toEqual([])
})

test('the API is told of the refused when it asks', async () => {
  const { connect, gateway, redis } = await start()
  await statusOf(connect({ password: 'wrong' }))
  const answers: ChannelMessage[] = []
  await redis.channels.subscribe(refusedChannel('query-1'), { receive: (message) => answers.push(message) })

  const query = { kind: 'refused-query', id: 'query-1' } as const
  await redis.channels.publish([{ channel: gatewaysChannel, message: query }])

  expect(answers).toMatchObject([
    { gatewayId: gateway.id, attempts: [{ stationId: 'CP1', reason: 'credentials', count: 1 }] },
  ])
})

test('path tricks are 400', async () => {
  const { connect } = await start()

  for (const path of ['a%2fb', 'CP1%00', '%2e%2e', 'CP1%0a', 'CP%C3%A9', '', 'x'.repeat(49), 'CP1%252f']) {
    expect(await statusOf(connect({ path }))).toBe(400)
  }
})

test('the id may stand behind any path, be percent-encoded and differ in letter case', async () => {
  const { connect, database, metrics, metric } = await start()
  database.stations.push(stationRecord({ id: 'RDAM 123' }))

  await connect({ path: '1.6/tenant/RDAM%20123', username: 'RDAM 123' })
  await connect({ id: 'cp1' })

  expect(metrics).toBeDefined()
  await new Promise((resolve) => setTimeout(resolve, 1_050))
  expect(await metric('busbar_quirks_total', { kind: 'id-case' })).toBe(1)
})

test('letter case decides where two ids differ by it alone', async () => {
  const { connect, database } = await start()
  database.stations.push(stationRecord({ id: 'cp1', secrets: [] }))

  expect(await statusOf(connect({ id: 'CP1' }))).toBe(101)
  expect(await statusOf(connect({ id: 'cp1' }))).toBe(401)
  expect(await statusOf(connect({ id: 'Cp1' }))).toBe(404)
})

test('failures are throttled per address and id, successes are not', async () => {
  const { connect, database } = await start({ failuresPerMinute: 3 })
  database.stations.push(stationRecord({ id: 'CP2' }))

  for (let attempt = 0; attempt < 3; attempt++) expect(await statusOf(connect({ password: 'wrong' }))).toBe(401)
  expect(await statusOf(connect())).toBe(429)
  for (let attempt = 0; attempt < 5; attempt++) expect(await statusOf(connect({ id: 'CP2' }))).toBe(101)
})

test('guesses that come at once are throttled as if one came after the other', async () => {
  const { connect, database } = await start({ failuresPerMinute: 3 })
  const hash = await testVault.hashForeignPassword('right')
  database.stations.push(stationRecord({ id: 'CP2', secrets: [{ slot: 'current', hash }] }))

  const guesses = Array.from({ length: 10 }, () => statusOf(connect({ id: 'CP2', password: 'wrong' })))
  expect((await Promise.all(guesses)).filter((status) => status === 401)).toHaveLength(3)
})

test('fast guessing stays on the list as what it is, and as going on', async () => {
  const { connect, gateway } = await start({ failuresPerMinute: 30 })
  const guess = (times: number) =>
    Promise.all(Array.from({ length: times }, () => statusOf(connect({ password: 'wrong' }))))

  expect((await guess(40)).filter((status) => status === 429)).toHaveLength(10)
  const [first] = gateway.refused()
  expect(first).toMatchObject({ stationId: 'CP1', reason: 'credentials', count: 40 })

  await until(() => new Date().toISOString() > (first?.lastAt ?? ''))
  expect(await guess(5)).toEqual(Array(5).fill(429))
  const [second] = gateway.refused()
  expect(second).toMatchObject({ stationId: 'CP1', reason: 'credentials', count: 45 })
  expect(second?.lastAt.localeCompare(first?.lastAt ?? '')).toBe(1)
})

test('guesses at a station count as such however its id is spelled', async () => {
  const { connect, gateway } = await start({ failuresPerMinute: 3 })
  const guess = (id: string) => statusOf(connect({ id, username: id, password: 'wrong' }))

  expect([await guess('CP1'), await guess('cp1'), await guess('Cp1')]).toEqual([401, 401, 401])
  expect(gateway.refused()).toMatchObject([{ stationId: 'CP1', reason: 'credentials', count: 3 }])
  expect(await guess('cP1')).toBe(429)
})

test('either password opens while a change is open', async () => {
  const { connect, database, log } = await start()
  const secrets = ['old', 'new'].map((password, index) => ({
    slot: index === 0 ? 'current' : 'pending',
    hash: testVault.hashPassword(password),
  }))
  database.stations.push(stationRecord({ id: 'CP2', secrets }))

  await connect({ id: 'CP2', password: 'old' })
  await connect({ id: 'CP2', password: 'new' })

  const slots = log.ofType('connected').map(({ value }) => JSON.parse(String(value)).secretSlot)
  expect(slots).toEqual(['current', 'pending'])
})

test('RPC16-03: a binary password opens, sent as bytes or as hex; the latter is counted', async () => {
  const { connect, database, metric } = await start()
  const key = Buffer.from('00010203ff3a0405060708090a0b0c0d0e0f1011', 'hex')
  database.stations.push(
    stationRecord({ id: 'CP2', secrets: [{ slot: 'current', hash: testVault.hashPassword(key) }] }),
  )

  expect(await statusOf(connect({ id: 'CP2', password: key }))).toBe(101)
  expect(await statusOf(connect({ id: 'CP2', password: key.toString('hex') }))).toBe(101)
  expect(await statusOf(connect({ id: 'CP2', password: key.toString('utf8') }))).toBe(401)
  await until(async () => (await metric('busbar_quirks_total')) > 0)
  expect(await metric('busbar_quirks_total', { kind: 'password-hex' })).toBe(1)
})

test('while Postgres is away a station that was read before gets in', async () => {
  const { connect, database } = await start()
  await connect()
  database.isAway = true

  expect(await statusOf(connect())).toBe(101)
  await expect(connect({ id: 'NEW' })).rejects.toMatchObject({
    status: 503,
    headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
  })
})

test('what exceeds the rate is shed with a time to come back', async () => {
  const { connect } = await start({ upgradesPerSecond: 1, upgradeBurst: 2 })

  expect(await statusOf(connect())).toBe(101)
  expect(await statusOf(connect())).toBe(101)
  await expect(connect()).rejects.toMatchObject({ status: 503, headers: { 'retry-after': expect.anything() } })
})

test('while the log is away nobody gets in', async () => {
  const { connect, log } = await start()
  log.available = false

  await expect(connect()).rejects.toMatchObject({ status: 503, headers: { 'retry-after': expect.anything() } })
})

test("the subprotocol is the station's first that we speak", async () => {
  const { connect } = await start()

  expect((await connect({ protocols: ['ocpp2.0.1', 'ocpp1.6'] })).socket.protocol).toBe('ocpp2.0.1')
  expect((await connect({ protocols: ['ocpp1.6', 'ocpp2.0.1'] })).socket.protocol).toBe('ocpp1.6')
  expect(await statusOf(connect({ protocols: ['ocpp1.2'] }))).toBe(400)
  expect(await statusOf(connect({ protocols: [] }))).toBe(400)
})

test('a station that names no subprotocol speaks what its switch says', async () => {
  const { connect, database } = await start()
  database.stations.push(stationRecord({ id: 'CP2', protocolWithoutHeader: 'ocpp1.6' }))

  const station = await connect({ id: 'CP2', protocols: [] })
  station.call('1', 'Heartbeat', {})

  expect(await station.answer('1')).toMatchObject([3, '1', {}])
  expect(station.socket.protocol).toBe('')
})

test('profile 0 gets in only for 1.6, where both sides allow it', async () => {
  const closed = await start()
  closed.database.stations.push(stationRecord({ id: 'CP0', securityProfile: 0, secrets: [] }))
  expect(await statusOf(closed.connect({ id: 'CP0', password: null }))).toBe(401)

  const open = await start({ allowProfile0: true })
  open.database.stations.push(stationRecord({ id: 'CP0', securityProfile: 0, secrets: [] }))
  expect(await statusOf(open.connect({ id: 'CP0', password: null }))).toBe(101)
  expect(await statusOf(open.connect({ id: 'CP0', password: null, protocols: ['ocpp2.0.1'] }))).toBe(403)
  expect(await statusOf(open.connect({ id: 'CP1', password: null }))).toBe(401)
})

test('a station of a higher profile does not get in on plain sockets', async () => {
  const { connect, database } = await start()
  database.stations.push(stationRecord({ id: 'CP2', securityProfile: 2 }))

  expect(await statusOf(connect({ id: 'CP2' }))).toBe(403)
})

test('in development any station gets in, but not with a wrong password', async () => {
  const { connect, database } = await start({ dev: true })

  expect(await statusOf(connect({ id: 'NEW', password: null, protocols: ['ocpp2.0.1'] }))).toBe(101)
  expect(await statusOf(connect({ id: 'OTHER', password: 'anything' }))).toBe(101)
  expect(await statusOf(connect({ id: 'CP1', password: null }))).toBe(101)
  expect(await statusOf(connect({ id: 'CP1', password: 'wrong' }))).toBe(401)
  expect(database.stations.map((station) => station.id)).toEqual(['CP1', 'NEW', 'OTHER'])
})

test('X-Forwarded-For of a stranger does not get around the throttle', async () => {
  const { connect } = await start({ failuresPerMinute: 1 })

  const headers = (address: string) => ({ 'X-Forwarded-For': address })
  expect(await statusOf(connect({ password: 'wrong', headers: headers('10.0.0.1') }))).toBe(401)
  expect(await statusOf(connect({ password: 'wrong', headers: headers('10.0.0.2') }))).toBe(429)
})

test('a trusted proxy says who calls', async () => {
  const { connect, log } = await start({ trustedProxies: ['127.0.0.0/8'] })

  await connect({ headers: { 'X-Forwarded-For': '203.0.113.7' } })

  expect(JSON.parse(String(log.ofType('connected')[0]?.value)).remoteAddress).toBe('203.0.113.7')
})

test('permessage-deflate is spoken when it is offered', async () => {
  const { connect, log } = await start()
  const station = await connect({ compressed: true })
  expect(station.socket.extensions).toContain('permessage-deflate')
  const sampledValue = Array.from({ length: 200 }, () => ({ value: '1234' }))

  station.call('1', 'MeterValues', {
    connectorId: 1,
    meterValue: [{ timestamp: '2026-01-01T00:00:00Z', sampledValue }],
  })

  expect(await station.answer('1')).toEqual([3, '1', {}])
  expect(log.ofType('call')[0]?.value.toString()).toContain('"1234"')
})

/** Sends bytes, resolves with what comes back until the other side closes. */
async function raw(port: number, text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(text))
    let received = ''
    socket.on('data', (data) => {
      received += data
    })
    socket.on('close', () => resolve(received))
    socket.on('error', reject)
    socket.setTimeout(10_000, () => socket.destroy(new Error('nothing for 10 s')))
  })
}

const authorization = `Authorization: Basic ${Buffer.from(`CP1:${testPassword}`).toString('base64')}\r\n`
const upgradeHead = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
const keyHead = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

test.each([
  ['plain HTTP', 'GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n\r\n', 426],
  ['no HTTP at all', '\x16\x03\x01\x00\x00 rubbish\r\n\r\n', 400],
  ['another upgrade', `GET /CP1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, 400],
  ['no key', `GET /CP1 HTTP/1.1\r\n${upgradeHead}${authorization}Sec-WebSocket-Version: 13\r\n\r\n`, 400],
  ['an old version', `GET /CP1 HTTP/1.1\r\n${upgradeHead}${authorization}${keyHead.replace('13', '7')}\r\n`, 426],
  ['POST', `POST /CP1 HTTP/1.1\r\n${upgradeHead}${authorization}${keyHead}\r\n`, 405],
  ['a large head', `GET /CP1 HTTP/1.1\r\n${upgradeHead}${authorization}${keyHead}X: ${'x'.repeat(9_000)}\r\n\r\n`, 431],
  [
    'bad extensions',
    `GET /CP1 HTTP/1.1\r\n${upgradeHead}${authorization}${keyHead}Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Extensions: ;;\r\n\r\n`,
    400,
  ],
])('%s is refused with its status, and owns nothing', async (_what, text, status) => {
  const { gateway, redis, log } = await start()

  expect(await raw(gateway.port, text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(redis.owners.size).toBe(0)
  expect(redis.listeners('CP1')).toBe(0)
  expect(log.records).toEqual([])
})

test('a request head that never ends is given up', async () => {
  const { gateway } = await start({ headersTimeoutMs: 300 })

  expect(await raw(gateway.port, 'GET /CP1 HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1.1 408 /)
})

test('an absolute URL in the request line is read', async () => {
  const { gateway, log } = await start()
  const head = `${upgradeHead}${authorization}${keyHead}Sec-WebSocket-Protocol: ocpp1.6\r\n`

  const socket = connectTcp(gateway.port, '127.0.0.1')
  socket.write(`GET ws://127.0.0.1:${gateway.port}/ocpp/CP1 HTTP/1.1\r\n${head}\r\n`)
  const received = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
  socket.destroy()

  expect(received).toMatch(/^HTTP\/1.1 101 /)
  expect(log.ofType('connected')).toHaveLength(1)
})
