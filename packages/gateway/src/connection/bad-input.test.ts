import { expect, test } from 'vitest'
import { closeCodes } from '../config.js'
import { decideWith, startTestGateway as start, stationRecord, until } from '../testing.js'

const alive = [3, 'alive', { currentTime: expect.any(String) }]

test.each([
  ['ocpp1.6', '[2,"1","FooBar",{}]', [4, '1', 'NotImplemented']],
  ['ocpp2.0.1', '[2,"1","FooBar",{}]', [4, '1', 'NotImplemented']],
  ['ocpp1.6', '[2,"1","Reset",{"type":"Hard"}]', [4, '1', 'NotSupported']],
  ['ocpp2.0.1', '[2,"1","Reset",{"type":"Immediate"}]', [4, '1', 'NotSupported']],
  ['ocpp1.6', '[2,"1","BootNotification",{"chargePointVendor":"V"}]', [4, '1', 'OccurenceConstraintViolation']],
  [
    'ocpp2.0.1',
    '[2,"1","BootNotification",{"chargingStation":{"model":"M","vendorName":"V"}}]',
    [4, '1', 'OccurrenceConstraintViolation'],
  ],
  [
    'ocpp1.6',
    '[2,"1","StatusNotification",{"connectorId":"1","errorCode":"NoError","status":"Available"}]',
    [4, '1', 'TypeConstraintViolation'],
  ],
  ['ocpp1.6', '[2,"1","Authorize",{"idTag":"123456789012345678901"}]', [4, '1', 'PropertyConstraintViolation']],
  ['ocpp1.6', '[2,"1","Heartbeat",{"foo":1}]', [4, '1', 'FormationViolation']],
  ['ocpp2.0.1', '[2,"1","Heartbeat",{"foo":1}]', [4, '1', 'FormatViolation']],
  ['ocpp2.0.1', '[2,"1","Heartbeat",[]]', [4, '1', 'FormatViolation']],
  ['ocpp2.0.1', '[2,"x"', [4, '-1', 'RpcFrameworkError']],
  ['ocpp2.0.1', '{', [4, '-1', 'RpcFrameworkError']],
  ['ocpp2.0.1', '[]', [4, '-1', 'RpcFrameworkError']],
  ['ocpp2.0.1', '[9,"1",{}]', [4, '1', 'MessageTypeNotSupported']],
  [
    'ocpp2.0.1',
    '[2,"1234567890123456789012345678901234567","Heartbeat",{}]',
    [4, '1234567890123456789012345678901234567', 'RpcFrameworkError'],
  ],
  ['ocpp1.6', '[2,"1","Heartbeat"', [4, '1', 'FormationViolation']],
  ['ocpp1.6', '[2,"1","Heartbeat"]', [4, '1', 'FormationViolation']],
] as const)('%s answers %s with %o and lives on', async (protocol, text, expected) => {
  const { connect, log } = await start()
  const station = await connect({ protocols: [protocol] })

  station.send(text)
  station.call('alive', 'Heartbeat', {})

  expect(await station.answer('alive')).toEqual(alive)
  expect(station.frames[0]?.slice(0, 3)).toEqual(expected)
  expect(station.frames[0]).toHaveLength(5)
  expect(log.ofType('call')).toEqual([])
  await until(() => log.ofType('refused').length + log.ofType('broken').length === 1)
})

test('a call that waits for a decision which no service makes is not supported', async () => {
  const { connect, log } = await start({ servedLanes: new Set(['stations']) })
  const station = await connect({ protocols: ['ocpp2.0.1'] })

  station.call('1', 'NotifyEVChargingNeeds', { evseId: 1, chargingNeeds: { requestedEnergyTransfer: 'DC' } })

  expect((await station.answer('1')).slice(0, 3)).toEqual([4, '1', 'NotSupported'])
  expect(log.ofType('call')).toEqual([])
})

test.each([
  ['ocpp1.6', '{'],
  ['ocpp1.6', '[9,"1",{}]'],
  ['ocpp1.6', '[3,"never sent",{}]'],
  ['ocpp2.0.1', '[3,"never sent",{}]'],
  ['ocpp2.0.1', '[4,"never sent","GenericError","",{}]'],
  ['ocpp2.0.1', '[3]'],
])('%s says nothing to %s, keeps it for the journal and lives on', async (protocol, text) => {
  const { connect, log } = await start()
  const station = await connect({ protocols: [protocol] })

  station.send(text)
  station.call('alive', 'Heartbeat', {})

  expect(await station.answer('alive')).toEqual(alive)
  expect(station.frames).toHaveLength(1)
  await until(() => log.ofType('refused').length + log.ofType('broken').length === 1)
})

test('a call that waits for a service nobody runs is refused, and lives on', async () => {
  const { connect, log } = await start({ servedLanes: new Set(['transactions']) })
  const station = await connect()
  station.call('1', 'BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  station.call('alive', 'Heartbeat', {})

  expect(await station.errorCode('1')).toBe('NotSupported')
  expect(await station.answer('alive')).toEqual(alive)
  expect(log.ofType('call')).toEqual([])
})

test('a binary frame is refused and does not end the connection', async () => {
  const { connect } = await start()
  const station = await connect({ protocols: ['ocpp2.0.1'] })

  station.socket.send(Buffer.from('[2,"1","Heartbeat",{}]'), { binary: true })
  station.call('alive', 'Heartbeat', {})

  await station.answer('alive')
  expect(await station.errorCode('-1')).toBe('RpcFrameworkError')
})

test('a billing message without what is billed is refused, and kept first', async () => {
  const { connect, log } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  log.isHeld = true

  station.call('1', 'StartTransaction', { connectorId: 1, idTag: 'A', timestamp: '2026-01-01T00:00:00Z' })
  await until(() => log.heldCount === 1)
  expect(station.frames).toEqual([])
  log.isHeld = false
  log.release()

  expect(await station.errorCode('1')).toBe('OccurenceConstraintViolation')
  expect(log.ofType('refused')[0]).toMatchObject({
    topic: 'test.ocpp.sent',
    headers: { direction: 'in', action: 'StartTransaction', messageId: '1' },
  })
  expect(String(log.ofType('refused')[0]?.value)).toContain('"idTag":"A"')
})

test('a billing message that can be billed is accepted whatever else is wrong with it', async () => {
  const gateway = await start()
  decideWith(gateway, () => ({ result: {} }))
  const station = await gateway.connect()

  station.call('1', 'StopTransaction', { transactionId: '7', meterStop: ' 12 ', timestamp: 'never', extra: true })

  expect(await station.answer('1')).toEqual([3, '1', {}])
  expect(Number(gateway.log.ofType('call')[0]?.headers.violations)).toBeGreaterThan(0)
})

test('the switch of a station lets its wrong messages pass', async () => {
  const { connect, database, log } = await start()
  database.stations.push(stationRecord({ id: 'CP2', switches: { tolerateInvalid: true } }))
  const station = await connect({ id: 'CP2' })

  station.call('1', 'StatusNotification', { connectorId: 1, errorCode: 'Error', status: 'Available' })

  expect(await station.answer('1')).toEqual([3, '1', {}])
  expect(log.ofType('call')[0]?.headers.violations).toBe('1')
})

test('before its boot a station hears SecurityError, and its boot changes that', async () => {
  const gateway = await start()
  gateway.database.stations[0] = stationRecord({ registration: null })
  decideWith(gateway, (action) =>
    action === 'BootNotification'
      ? { result: { status: 'Accepted', currentTime: '2026-01-01T00:00:00Z', interval: 300 } }
      : null,
  )
  const station = await gateway.connect()

  station.call('1', 'Heartbeat', {})
  expect(await station.errorCode('1')).toBe('SecurityError')
  station.call('2', 'BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  expect(await station.answer('2')).toMatchObject([3, '2', { status: 'Accepted' }])
  station.call('3', 'Heartbeat', {})
  expect(await station.answer('3')).toMatchObject([3, '3', {}])
})

test('an operator changes the registration of a connected station', async () => {
  const { connect, redis } = await start()
  const station = await connect()

  redis.tell('CP1', { kind: 'registration', registration: 'Rejected' })
  station.call('1', 'Heartbeat', {})
  expect(await station.errorCode('1')).toBe('SecurityError')
  redis.tell('CP1', { kind: 'registration', registration: 'Accepted' })
  station.call('2', 'Heartbeat', {})
  expect(await station.answer('2')).toMatchObject([3, '2', {}])
})

test.each([
  ['never booted', {}, true],
  ['never booted and set to reject', { registrationPolicy: 'reject' }, false],
  ['told Rejected before', { registration: 'Rejected' as const }, false],
])('acceptWithoutBoot of a station %s: %o', async (_what, overrides, isAccepted) => {
  const { connect, database } = await start()
  database.stations[0] = stationRecord({ registration: null, acceptWithoutBoot: true, ...overrides })
  const station = await connect()

  station.call('1', 'Heartbeat', {})

  expect((await station.answer('1'))[0]).toBe(isAccepted ? 3 : 4)
})

test('a station that never was registered and says nothing is closed', async () => {
  const { connect, database } = await start({ firstCallWithinSeconds: 0.1, pingIntervalSeconds: 0.05 })
  database.stations[0] = stationRecord({ registration: null })

  expect((await (await connect()).closed).code).toBe(closeCodes.policy)
})

test('a message of 5 MB ends its connection and touches no other', async () => {
  const { connect, database } = await start()
  database.stations.push(stationRecord({ id: 'CP2' }))
  const station = await connect()
  const neighbour = await connect({ id: 'CP2' })

  station.send(`[2,"1","DataTransfer",{"vendorId":"x","data":"${'x'.repeat(5_000_000)}"}]`)

  expect((await station.closed).code).toBe(closeCodes.tooBig)
  neighbour.call('alive', 'Heartbeat', {})
  expect(await neighbour.answer('alive')).toEqual(alive)
})

test('a compressed bomb is counted as what it becomes', async () => {
  const { connect } = await start()
  const station = await connect({ compressed: true })

  station.send(`[2,"1","DataTransfer",{"vendorId":"x","data":"${'x'.repeat(20_000_000)}"}]`)

  expect((await station.closed).code).toBe(closeCodes.tooBig)
})

test('before the boot is accepted a message of 2 MB is too big', async () => {
  const { connect, database } = await start()
  database.stations[0] = stationRecord({ registration: 'Pending' })
  const station = await connect()

  station.send(`[2,"1","DataTransfer",{"vendorId":"x","data":"${'x'.repeat(2_000_000)}"}]`)

  expect((await station.closed).code).toBe(closeCodes.tooBig)
})

test('hostile payloads are data', async () => {
  const gateway = await start()
  decideWith(gateway, () => ({ result: { status: 'Accepted' } }))
  const { connect, log } = gateway
  const station = await connect()
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`

  station.send('[2,"1","DataTransfer",{"vendorId":"x","data":"a\\u0000b"}]')
  station.send('[2,"2","DataTransfer",{"vendorId":"x","__proto__":{"polluted":true}}]')
  station.send(`[2,"3","DataTransfer",{"vendorId":"x","data":${deep}}]`)
  station.send('[2,"__proto__","DataTransfer",{"vendorId":"\\ud800"}]')
  station.send('[2,"5","constructor",{}]')
  station.send('[2,"6","DataTransfer",{"vendorId":1e400}]')

  expect(await station.answer('1')).toEqual([3, '1', { status: 'Accepted' }])
  expect((await station.answer('2'))[0]).toBe(4)
  expect((await station.answer('3'))[0]).toBe(4)
  expect(await station.answer('__proto__')).toEqual([3, '__proto__', { status: 'Accepted' }])
  expect(await station.errorCode('5')).toBe('NotImplemented')
  expect((await station.answer('6'))[0]).toBe(4)
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  expect(String(log.ofType('call')[0]?.value)).toContain('a\\u0000b')
})

test('bytes that are no UTF-8 are kept as they came', async () => {
  const gateway = await start()
  decideWith(gateway, () => ({ result: { transactionId: 1, idTagInfo: { status: 'Accepted' } } }))
  const station = await gateway.connect()
  const frame = Buffer.concat([
    Buffer.from('[2,"1","StartTransaction",{"connectorId":1,"idTag":"A'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}]'),
  ])

  station.socket.send(frame, { binary: false })

  expect((await station.answer('1'))[0]).toBe(3)
  expect(gateway.log.ofType('call')[0]?.value).toEqual(frame)
})

test('a station that only talks nonsense fills no journal', async () => {
  const { connect, log } = await start()
  const station = await connect({ protocols: ['ocpp2.0.1'] })

  for (let number = 0; number < 500; number++) station.call(String(number), 'Nonsense', {})

  await station.answer('499')
  expect(log.ofType('refused').length).toBeLessThan(40)
})

test('secrets of a refused frame are masked', async () => {
  const { connect, log } = await start()
  const station = await connect({ protocols: ['ocpp2.0.1'] })

  station.call('1', 'Authorize', { idToken: { idToken: '1234-secret-pin', type: 'KeyCode' }, extra: 1 })
  await station.answer('1')

  await until(() => log.ofType('refused').length === 1)
  expect(log.records.map((record) => String(record.value)).join('\n')).not.toContain('secret-pin')
})
