import { expect, test } from 'vitest'
import { closeCodes } from './config.js'
import { decideWith, startTestGateway as start, stationRecord, toAnswer, until } from './testing.js'

const meterValues = {
  connectorId: 1,
  meterValue: [{ timestamp: '2026-01-01T00:00:00Z', sampledValue: [{ value: '1' }] }],
}
const status = { connectorId: 1, errorCode: 'NoError', status: 'Available' }
const startTransaction = { connectorId: 1, idTag: 'TAG', meterStart: 0, timestamp: '2026-01-01T00:00:00Z' }

test('a Heartbeat is answered here and not logged', async () => {
  const { connect, log } = await start()
  const station = await connect()

  station.call('1', 'Heartbeat', {})

  expect(await station.answer('1')).toEqual([3, '1', { currentTime: expect.stringMatching(/Z$/) }])
  expect(log.ofType('call')).toEqual([])
})

test('a call answered on log is logged byte for byte, before its answer', async () => {
  const { connect, log } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  log.isHeld = true
  const text = `[2, "m1",\t"StatusNotification", ${JSON.stringify(status)} ]`

  station.send(text)
  await until(() => log.heldCount === 1)
  expect(station.frames).toEqual([])
  log.release()

  expect(await station.answer('m1')).toEqual([3, 'm1', {}])
  const [record] = log.ofType('call')
  expect(record?.value.toString()).toBe(text)
  expect(record).toMatchObject({
    topic: 'test.ocpp.stations',
    key: 'CP1',
    headers: { station: 'CP1', protocol: 'ocpp1.6', action: 'StatusNotification', messageId: 'm1', answer: 'log' },
  })
})

test('the connection and its end are told to the stations service', async () => {
  const { connect, log, redis } = await start()
  const station = await connect()
  station.call('1', 'Heartbeat', {})
  await station.answer('1')

  station.socket.close(1000)
  await until(() => log.ofType('disconnected').length === 1)

  const [connected] = log.ofType('connected')
  const [disconnected] = log.ofType('disconnected')
  expect(JSON.parse(String(connected?.value))).toEqual({
    remoteAddress: '127.0.0.1',
    securityProfile: 1,
    secretSlot: 'current',
    certificateFingerprint: null,
  })
  expect(JSON.parse(String(disconnected?.value))).toEqual({ code: 1000, reason: '', heartbeats: 1 })
  expect(disconnected?.headers.epoch).toBe(connected?.headers.epoch)
  await until(() => redis.owners.size === 0 && redis.listeners('CP1') === 0)
})

test('a decision reaches the call of its sequence', async () => {
  const gateway = await start()
  decideWith(gateway, (_action, { idTag }) => ({
    result: { idTagInfo: { status: idTag === 'A' ? 'Accepted' : 'Blocked' } },
  }))
  const station = await gateway.connect()

  station.call('same', 'Authorize', { idTag: 'A' })
  station.call('same', 'Authorize', { idTag: 'B' })

  await until(() => station.frames.length === 2)
  expect(station.frames.map((frame) => frame[2])).toEqual([
    { idTagInfo: { status: 'Accepted' } },
    { idTagInfo: { status: 'Blocked' } },
  ])
})

test('a decision as CALLERROR is spelt as the version wants it', async () => {
  const gateway = await start()
  decideWith(gateway, () => ({ error: { code: 'FormatViolation', message: 'no' } }))
  const station = await gateway.connect()

  station.call('1', 'DataTransfer', { vendorId: 'x' })

  expect(await station.answer('1')).toEqual([4, '1', 'FormationViolation', 'no', {}])
})

test('answers leave in the order of the calls', async () => {
  const { connect, log, redis } = await start({ safeAnswerAfterMs: 5_000 })
  const station = await connect()

  station.call('1', 'Authorize', { idTag: 'A' })
  station.call('2', 'StatusNotification', status)
  station.call('3', 'Heartbeat', {})
  station.call('4', 'Nonsense', {})
  station.call('5', 'Authorize', { idTag: 'B' })
  await until(() => log.ofType('call').length === 3)
  const [first, , last] = log.ofType('call')
  redis.tell('CP1', toAnswer(last?.headers ?? {}, { result: { idTagInfo: { status: 'Accepted' } } }))
  expect(station.frames).toEqual([])
  redis.tell('CP1', toAnswer(first?.headers ?? {}, { result: { idTagInfo: { status: 'Blocked' } } }))

  await until(() => station.frames.length === 5)
  expect(station.frames.map((frame) => [frame[0], frame[1]])).toEqual([
    [3, '1'],
    [3, '2'],
    [3, '3'],
    [4, '4'],
    [3, '5'],
  ])
})

test('one record of a station is in flight at a time', async () => {
  const { connect, log } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  log.isHeld = true

  station.call('1', 'StatusNotification', status)
  station.call('2', 'MeterValues', meterValues)
  await until(() => log.heldCount === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(log.heldCount).toBe(1)
  log.release()
  await until(() => log.heldCount === 1)
  log.release()

  await station.answer('2')
  expect(log.ofType('call').map((record) => record.headers.action)).toEqual(['StatusNotification', 'MeterValues'])
})

test('a pending duplicate shares the answer; the same id with another payload is a new call', async () => {
  const gateway = await start()
  const { connect, log } = gateway
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  log.isHeld = true

  station.call('1', 'MeterValues', meterValues)
  station.call('1', 'MeterValues', meterValues)
  station.call('1', 'MeterValues', { ...meterValues, connectorId: 2 })
  await until(() => log.heldCount === 1)
  log.isHeld = false
  log.release()
  await until(() => station.frames.length === 2)
  await new Promise((resolve) => setTimeout(resolve, 30))

  expect(station.frames).toHaveLength(2)
  expect(log.ofType('call')).toHaveLength(2)
})

test('an answered message that comes again is a call of its own', async () => {
  const { connect, log } = await start()
  const station = await connect()

  station.call('1', 'MeterValues', meterValues)
  await station.answer('1')
  station.call('1', 'MeterValues', meterValues)

  await until(() => station.frames.length === 2)
  expect(log.ofType('call')).toHaveLength(2)
})

test('the 17th pending call waits unread, and so does all behind it', async () => {
  const gateway = await start({ answerWithinMs: 5_000 })
  const { connect, log, redis } = gateway
  const station = await connect()

  for (let number = 1; number <= 30; number++) station.call(String(number), 'Authorize', { idTag: 'A' })
  await until(() => log.ofType('call').length === 16)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(log.ofType('call')).toHaveLength(16)

  const answer = { result: { idTagInfo: { status: 'Accepted' } } }
  redis.tell('CP1', toAnswer(log.ofType('call')[0]?.headers ?? {}, answer))
  await until(() => log.ofType('call').length === 17)
  decideWith(gateway, () => answer)
  for (const { headers } of log.ofType('call').slice(1)) redis.tell('CP1', toAnswer(headers, answer))

  await until(() => station.frames.length === 30)
  expect(station.frames.map((frame) => frame[1])).toEqual(Array.from({ length: 30 }, (_, index) => String(index + 1)))
})

test('above the bytes in hand sockets are not read, until some are free', async () => {
  const { connect, database, log } = await start({ maxBytesInHand: 1_500, answerWithinMs: 5_000 })
  database.stations.push(stationRecord({ id: 'CP2' }))
  const first = await connect()
  const second = await connect({ id: 'CP2' })
  await until(() => log.ofType('connected').length === 2)
  log.isHeld = true
  const long = { ...status, info: 'x'.repeat(1_000), vendorErrorCode: 'x' }

  first.call('1', 'MeterValues', { ...meterValues, extra: 'x'.repeat(1_000) })
  await until(() => log.heldCount === 1)
  second.call('2', 'MeterValues', { ...meterValues, extra: long })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(log.heldCount).toBe(1)
  log.release()
  await first.answer('1')
  await until(() => log.heldCount === 1)
  log.release()

  expect(await second.answer('2')).toEqual([3, '2', {}])
})

test('what is answered on log is answered though no service reads its lane yet', async () => {
  const { connect, log } = await start()
  const station = await connect({ protocols: ['ocpp2.0.1'] })

  station.call('1', 'ClearedChargingLimit', { chargingLimitSource: 'EMS' })

  expect(await station.answer('1')).toEqual([3, '1', {}])
  expect(log.ofType('call')[0]?.topic).toBe('test.ocpp.smart-charging')
})

test('without a decision in time the safe answer is logged, then sent', async () => {
  const gateway = await start()
  const { connect, log, metric } = gateway
  const station = await connect()

  station.call('1', 'StartTransaction', startTransaction)

  const [, , payload] = await station.answer('1')
  const [call] = log.ofType('call')
  const [answered] = log.ofType('answered')
  const transactionId = Number(call?.headers.transactionId)
  expect(transactionId).toBeGreaterThan(0)
  expect(payload).toEqual({ transactionId, idTagInfo: { status: 'Accepted' } })
  expect(answered?.topic).toBe('test.ocpp.transactions')
  expect(JSON.parse(String(answered?.value))).toEqual({ sequence: Number(call?.headers.sequence), answer: payload })
  await until(async () => (await metric('busbar_gateway_safe_answers_total', { action: 'StartTransaction' })) === 1)
})

test('a decision that comes while the safe answer is being logged comes too late', async () => {
  const { connect, log, redis } = await start()
  const station = await connect()
  station.call('1', 'StartTransaction', startTransaction)
  await until(() => log.ofType('call').length === 1)
  log.isHeld = true
  await until(() => log.heldCount === 1)

  const { headers = {} } = log.ofType('call')[0] ?? {}
  redis.tell('CP1', toAnswer(headers, { result: { transactionId: 1, idTagInfo: { status: 'Blocked' } } }))
  expect(station.frames).toEqual([])
  log.isHeld = false
  log.release()

  expect(await station.answer('1')).toMatchObject([3, '1', { idTagInfo: { status: 'Accepted' } }])
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(station.frames).toHaveLength(1)
})

test('an action without a safe answer holds, then the socket closes for another try', async () => {
  const { connect, log } = await start()
  const station = await connect()

  station.call('1', 'Authorize', { idTag: 'A' })

  expect((await station.closed).code).toBe(closeCodes.tryLater)
  expect(station.frames).toEqual([])
  expect(log.ofType('call')).toHaveLength(1)
})

test('a log that does not take the call closes the socket without an answer', async () => {
  const { connect, log } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  log.isHeld = true

  station.call('1', 'MeterValues', meterValues)

  expect((await station.closed).code).toBe(closeCodes.tryLater)
  expect(station.frames).toEqual([])
})

test('a log that goes away closes who waits for it, and nobody else', async () => {
  const { connect, log, database } = await start()
  database.stations.push(stationRecord({ id: 'CP2' }))
  const waiting = await connect()
  const idle = await connect({ id: 'CP2' })
  await until(() => log.ofType('connected').length === 2)
  log.isHeld = true
  waiting.call('1', 'MeterValues', meterValues)
  await until(() => log.heldCount === 1)

  log.break()

  expect((await waiting.closed).code).toBe(closeCodes.tryLater)
  idle.call('2', 'Heartbeat', {})
  expect(await idle.answer('2')).toMatchObject([3, '2', {}])
})

test('the word of a closed socket waits for the log', async () => {
  const { connect, log } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  log.break()

  station.socket.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(log.ofType('disconnected')).toEqual([])
  log.available = true

  await until(() => log.ofType('disconnected').length === 1, 3_000)
})

test('while a socket closes its frames are still logged', async () => {
  const { connect, log, redis } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)

  redis.tell('CP1', { kind: 'takeover', epoch: 9e15, connectionId: 'other' })
  station.call('1', 'MeterValues', meterValues)

  expect((await station.closed).code).toBe(closeCodes.takenOver)
  await until(() => log.ofType('call').length === 1)
  expect(station.frames).toEqual([])
})

test('a gateway shows how far its clock is from the store of owners', async () => {
  const { connect, metric, redis } = await start()
  redis.nextEpoch = (Date.now() + 3_000) * 1_000
  await connect()

  expect(await metric('busbar_gateway_clock_offset_seconds')).toBeCloseTo(-3, 0)
})

test('the newest connection owns the station', async () => {
  const first = await start()
  const second = await start({}, first)
  const old = await first.connect()
  const young = await second.connect()

  expect((await old.closed).code).toBe(closeCodes.takenOver)
  await until(() => first.log.ofType('disconnected').length === 1)

  // The late close of the old one does not remove the newcomer.
  expect(first.redis.owners.get('CP1')?.gatewayId).toBe(second.gateway.id)
  young.call('1', 'Heartbeat', {})
  expect(await young.answer('1')).toMatchObject([3, '1', {}])
})

test('without Redis the newest connection still closes the older one of this gateway', async () => {
  const { connect, redis } = await start()
  const old = await connect()
  redis.isAway = true

  const young = await connect()

  expect((await old.closed).code).toBe(closeCodes.takenOver)
  young.call('1', 'Heartbeat', {})
  await young.answer('1')
})

test('heartbeats become one presence record', async () => {
  const { connect, log } = await start({ presenceIntervalSeconds: 0.1, pingIntervalSeconds: 0.1 })
  const station = await connect()

  for (const id of ['1', '2', '3']) station.call(id, 'Heartbeat', {})

  await until(() => log.ofType('presence').length === 1)
  expect(JSON.parse(String(log.ofType('presence')[0]?.value))).toEqual({ heartbeats: 3 })
})

test('a silent socket is cut, one that answers pings is not', async () => {
  const gateway = await start({ pingIntervalSeconds: 0.05, silentAfterSeconds: 0.3 })
  gateway.database.stations.push(stationRecord({ id: 'CP2' }))
  const silent = await gateway.connect({ autoPong: false })
  const living = await gateway.connect({ id: 'CP2' })

  expect((await silent.closed).code).toBe(1006)
  await new Promise((resolve) => setTimeout(resolve, 200))
  living.call('1', 'Heartbeat', {})
  expect(await living.answer('1')).toMatchObject([3, '1', {}])
})

test('draining turns newcomers away, finishes what is in flight and closes with 1012', async () => {
  const { connect, gateway, log, redis } = await start({ safeAnswerAfterMs: 5_000 })
  const station = await connect()
  station.call('1', 'Authorize', { idTag: 'A' })
  await until(() => log.ofType('call').length === 1)

  const drained = gateway.drain({ paceMs: 0 })
  expect(gateway.ready).toBe(false)
  await expect(connect()).rejects.toMatchObject({ status: 503 })
  station.call('2', 'MeterValues', meterValues)
  redis.tell('CP1', toAnswer(log.ofType('call')[0]?.headers ?? {}, { result: { idTagInfo: { status: 'Accepted' } } }))
  await drained

  expect((await station.closed).code).toBe(closeCodes.restart)
  expect(station.frames.map((frame) => [frame[0], frame[1]])).toEqual([
    [3, '1'],
    [3, '2'],
  ])
})

test('stopping leaves nothing behind', async () => {
  const { connect, gateway, log, redis } = await start()
  const station = await connect()

  await gateway.stop()

  expect((await station.closed).code).toBe(closeCodes.restart)
  expect(log.ofType('disconnected')).toHaveLength(1)
  expect(redis.owners.size).toBe(0)
  expect(redis.released).toEqual([gateway.id])
})

test('without Redis stations come in, and are registered on its return', async () => {
  const { connect, log, redis } = await start({ leaseRenewMs: 20 })
  redis.isAway = true

  const station = await connect()
  station.call('1', 'MeterValues', meterValues)
  expect(await station.answer('1')).toEqual([3, '1', {}])
  expect(redis.owners.size).toBe(0)
  redis.isAway = false

  await until(() => redis.owners.size === 1)
  await until(() => log.ofType('connected').length === 2)
  expect(log.ofType('connected').at(-1)?.headers.epoch).toBe(String(redis.owners.get('CP1')?.epoch))
})
