import { expect, test } from 'vitest'
import {
  commandMessage,
  decideWith,
  startTestGateway as start,
  stationRecord,
  type TestGateway,
  type TestStation,
  testVault,
  toAnswer,
  until,
} from '../testing.js'

const outcomes = ({ log }: TestGateway) => log.ofType('outcome').map((record) => JSON.parse(String(record.value)))

async function nextCall(station: TestStation, action: string): Promise<string> {
  const [, messageId] = await station.first((frame) => frame[0] === 2 && frame[2] === action)
  return String(messageId)
}

const dispatch = ({ redis }: TestGateway, overrides: Parameters<typeof commandMessage>[0] = {}) =>
  redis.ownership.dispatch('CP1', commandMessage(overrides))

test('a command becomes a call, its result an outcome', async () => {
  const gateway = await start()
  const station = await gateway.connect()

  await dispatch(gateway, { action: 'ChangeConfiguration', payload: { key: 'HeartbeatInterval', value: '60' } })
  const messageId = await nextCall(station, 'ChangeConfiguration')
  expect(messageId).toMatch(/^[0-9a-f-]{36}$/)
  station.send([3, messageId, { status: 'Accepted' }])

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toEqual({
    commandId: 'command-1',
    callIndex: 0,
    outcome: 'result',
    action: 'ChangeConfiguration',
    payload: { status: 'Accepted' },
    sentAt: expect.any(String),
    at: expect.any(String),
    late: false,
  })
  const [outcome] = gateway.log.ofType('outcome')
  expect(outcome).toMatchObject({ topic: 'test.ocpp.commands', key: 'CP1' })
  // Whoever asked for the command waits for its verdict.
  expect(outcome && gateway.log.lingering.has(outcome)).toBe(false)
  expect(gateway.log.ofType('command')[0]).toMatchObject({
    topic: 'test.ocpp.sent',
    headers: { direction: 'out', action: 'ChangeConfiguration', messageId },
  })
})

test('one call is in flight, the others follow in order', async () => {
  const gateway = await start({ callTimeoutMs: 5_000 })
  const station = await gateway.connect()

  for (const [callIndex, action] of ['ClearCache', 'GetLocalListVersion', 'GetConfiguration'].entries()) {
    await dispatch(gateway, { callIndex, action })
  }
  const first = await nextCall(station, 'ClearCache')
  station.call('1', 'Heartbeat', {})
  await station.answer('1')
  expect(station.frames).toHaveLength(2)
  station.send([3, first, { status: 'Accepted' }])
  station.send([3, await nextCall(station, 'GetLocalListVersion'), { listVersion: 0 }])
  station.send([4, await nextCall(station, 'GetConfiguration'), 'NotSupported', 'no', {}])

  await until(() => outcomes(gateway).length === 3)
  expect(outcomes(gateway).map((each) => [each.callIndex, each.outcome])).toEqual([
    [0, 'result'],
    [1, 'result'],
    [2, 'error'],
  ])
  expect(outcomes(gateway)[2].error).toEqual({ code: 'NotSupported', description: 'no', details: {} })
})

test('a timeout frees the way; the late result is recorded and matches nothing else', async () => {
  const gateway = await start({ callTimeoutMs: 60 })
  const station = await gateway.connect()
  await dispatch(gateway, { commandId: 'slow' })
  const slow = await nextCall(station, 'ClearCache')
  await until(() => outcomes(gateway).length === 1)

  await dispatch(gateway, { commandId: 'next', action: 'GetLocalListVersion' })
  const next = await nextCall(station, 'GetLocalListVersion')
  station.send([3, slow, { status: 'Accepted' }])
  station.send([3, next, { listVersion: 3 }])
  station.send([3, slow, { status: 'Accepted' }])

  await until(() => outcomes(gateway).length === 3)
  expect(outcomes(gateway).map((each) => [each.commandId, each.outcome, each.late])).toEqual([
    ['slow', 'timeout', false],
    ['slow', 'result', true],
    ['next', 'result', false],
  ])
  await until(() => gateway.log.ofType('refused').length === 1)
  expect(gateway.log.ofType('refused')[0]?.headers.note).toBe('answer to no call of ours')
})

test('a result that breaks its schema is recorded as it is', async () => {
  const gateway = await start()
  const station = await gateway.connect()
  await dispatch(gateway)

  station.send([3, await nextCall(station, 'ClearCache'), { status: 'Sure' }])

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({
    outcome: 'result',
    payload: { status: 'Sure' },
    violations: [{ code: 'PropertyConstraintViolation' }],
  })
  expect(station.frames).toHaveLength(1)
})

test('an answer that cannot be read ends its call', async () => {
  const gateway = await start({ callTimeoutMs: 5_000 })
  const station = await gateway.connect()
  await dispatch(gateway)

  station.send(`[3,"${await nextCall(station, 'ClearCache')}",{"status":`)

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({ outcome: 'error', error: { code: 'FormatViolation' } })
})

test('a command of another epoch is not sent', async () => {
  const gateway = await start()
  const station = await gateway.connect()

  gateway.redis.tell('CP1', { ...commandMessage(), epoch: 1 } as Parameters<typeof gateway.redis.tell>[1])
  station.call('1', 'Heartbeat', {})
  await station.answer('1')

  expect(station.frames).toHaveLength(1)
  expect(outcomes(gateway)).toEqual([])
})

test('an expired command is not sent, neither at once nor out of the queue', async () => {
  const gateway = await start({ callTimeoutMs: 5_000 })
  const station = await gateway.connect()

  await dispatch(gateway, { commandId: 'old', expiresAt: new Date(Date.now() - 1).toISOString() })
  await dispatch(gateway, { commandId: 'running' })
  await nextCall(station, 'ClearCache')
  await dispatch(gateway, { commandId: 'waiting', expiresAt: new Date(Date.now() + 50).toISOString() })

  await until(() => outcomes(gateway).length === 2)
  expect(outcomes(gateway).map((each) => [each.commandId, each.outcome])).toEqual([
    ['old', 'expired'],
    ['waiting', 'expired'],
  ])
  const { description } = outcomes(gateway)[1]?.error ?? {}
  expect(description).toBe('The station had not answered ClearCache by then')
  expect(station.frames).toHaveLength(1)
})

test('the queue has an end', async () => {
  const gateway = await start({ maxQueuedCalls: 2, callTimeoutMs: 5_000 })
  await gateway.connect()

  for (const commandId of ['flying', 'second', 'third', 'fourth']) await dispatch(gateway, { commandId })

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({ commandId: 'fourth', outcome: 'unsent', error: { code: 'Unsent' } })
})

test('when the socket closes, what was sent is lost and what waits is unsent', async () => {
  const gateway = await start({ callTimeoutMs: 5_000 })
  const station = await gateway.connect()
  await dispatch(gateway, { commandId: 'sent' })
  await dispatch(gateway, { commandId: 'waits' })
  await nextCall(station, 'ClearCache')

  station.socket.terminate()

  await until(() => outcomes(gateway).length === 2)
  expect(outcomes(gateway).map((each) => [each.commandId, each.outcome])).toEqual([
    ['sent', 'lost'],
    ['waits', 'unsent'],
  ])
})

test.each(['spoke to', 'never spoke to'])(
  'a command that finds the socket of a station closed that we %s is unsent, as long as the connection owns the station',
  async (before) => {
    const gateway = await start()
    const station = await gateway.connect()
    if (before === 'spoke to') {
      await dispatch(gateway, { commandId: 'before' })
      station.send([3, await nextCall(station, 'ClearCache'), { status: 'Accepted' }])
      await until(() => outcomes(gateway).length === 1)
    }
    const { ownership } = gateway.redis
    const { unregister } = ownership
    let unregisters = () => {}
    const held = new Promise<void>((resolve) => {
      unregisters = resolve
    })
    ownership.unregister = async (...given) => held.then(() => unregister.apply(ownership, given))

    station.socket.terminate()
    await until(() => gateway.log.ofType('disconnected').length === 1)
    expect(await dispatch(gateway, { commandId: 'after' })).toMatchObject({ receivers: 1 })

    await until(() => outcomes(gateway).some(({ commandId }) => commandId === 'after'))
    expect(outcomes(gateway).at(-1)).toMatchObject({ commandId: 'after', outcome: 'unsent', error: { code: 'Unsent' } })
    unregisters()
  },
)

test('a call caused by a call waits until that one is answered', async () => {
  const gateway = await start({ safeAnswerAfterMs: 5_000, answerWithinMs: 5_000 })
  const station = await gateway.connect()
  station.call('1', 'Authorize', { idTag: 'A' })
  await until(() => gateway.log.ofType('call').length === 1)
  const { headers = {} } = gateway.log.ofType('call')[0] ?? {}
  const afterSequence = { connectionId: String(headers.connection), sequence: Number(headers.sequence) }

  await dispatch(gateway, { afterSequence })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(station.frames).toEqual([])
  gateway.redis.tell('CP1', toAnswer(headers, { result: { idTagInfo: { status: 'Accepted' } } }))

  await nextCall(station, 'ClearCache')
  expect(station.frames.map((frame) => frame[0])).toEqual([3, 2])
})

test('a secret is readable on the socket only', async () => {
  const gateway = await start()
  const station = await gateway.connect()
  const value = testVault.seal('00112233445566778899aabbccddeeff00112233')

  await dispatch(gateway, { action: 'ChangeConfiguration', payload: { key: 'AuthorizationKey', value } })
  await nextCall(station, 'ChangeConfiguration')

  expect(station.frames[0]?.[3]).toEqual({
    key: 'AuthorizationKey',
    value: '00112233445566778899aabbccddeeff00112233',
  })
  await until(() => gateway.log.ofType('command').length === 1)
  const logged = gateway.log.records.map((record) => String(record.value)).join('\n')
  expect(logged).not.toContain('00112233445566778899')
  expect(logged).toContain('"value":"***"')
})

test('a secret that does not open is not sent', async () => {
  const gateway = await start()
  const station = await gateway.connect()

  await dispatch(gateway, {
    action: 'ChangeConfiguration',
    payload: { key: 'AuthorizationKey', value: 'sealed:v1:rubbish' },
  })

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({ outcome: 'unsent' })
  expect(station.frames).toEqual([])
})

test('a remote start is not sent to a station that is not accepted', async () => {
  const gateway = await start()
  gateway.database.stations[0] = stationRecord({ registration: 'Pending' })
  await gateway.connect()

  await dispatch(gateway, { action: 'RemoteStartTransaction', payload: { idTag: 'A' } })

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({ outcome: 'unsent', error: { description: /not accepted/ } })
})

test('a trigger that the station accepted opens the gate for its message', async () => {
  const gateway = await start()
  gateway.database.stations[0] = stationRecord({ registration: 'Pending' })
  const station = await gateway.connect()
  const status = { connectorId: 1, errorCode: 'NoError', status: 'Available' }

  station.call('1', 'StatusNotification', status)
  expect(await station.errorCode('1')).toBe('SecurityError')
  await dispatch(gateway, { action: 'TriggerMessage', payload: { requestedMessage: 'StatusNotification' } })
  station.send([3, await nextCall(station, 'TriggerMessage'), { status: 'Accepted' }])
  station.call('2', 'StatusNotification', status)

  expect(await station.answer('2')).toEqual([3, '2', {}])
})

test('a drain leaves queued commands unsent and takes the answer to the one in flight', async () => {
  const gateway = await start({ callTimeoutMs: 5_000 })
  const station = await gateway.connect()
  await dispatch(gateway, { commandId: 'flying' })
  await dispatch(gateway, { commandId: 'waiting' })
  const messageId = await nextCall(station, 'ClearCache')

  const drained = gateway.gateway.drain()
  await until(() => outcomes(gateway).length === 1)
  station.send([3, messageId, { status: 'Accepted' }])
  await drained

  expect(outcomes(gateway).map((each) => [each.commandId, each.outcome])).toEqual([
    ['waiting', 'unsent'],
    ['flying', 'result'],
  ])
})

test('an outcome waits for the log to return', async () => {
  const gateway = await start()
  const station = await gateway.connect()
  await dispatch(gateway)
  const messageId = await nextCall(station, 'ClearCache')
  gateway.log.available = false

  station.send([3, messageId, { status: 'Accepted' }])
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(outcomes(gateway)).toEqual([])
  gateway.log.available = true

  await until(() => outcomes(gateway).length === 1, 3_000)
})

test('a station that does not read is cut', async () => {
  const gateway = await start({ maxUnreadBytes: 200_000 })
  decideWith(gateway, () => ({ result: { status: 'Accepted', data: 'x'.repeat(50_000) } }))
  const station = await gateway.connect()
  station.socket.pause()

  for (let number = 0; number < 400; number++) {
    if (station.socket.readyState === station.socket.OPEN)
      station.call(String(number), 'DataTransfer', { vendorId: 'x' })
    if (number % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  await until(() => gateway.log.ofType('disconnected').length === 1, 5_000)
})
