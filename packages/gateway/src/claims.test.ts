import { afterEach, expect, test, vi } from 'vitest'
import { commandMessage, startTestGateway, type TestGateway, until } from './testing.js'

afterEach(() => vi.restoreAllMocks())

/** Every tick is a beat for everybody. */
const start = () => startTestGateway({ leaseRenewMs: 40, pingIntervalSeconds: 0.03 })

/** The process did not run for so long; its clocks went on. */
function sleep(ms: number): void {
  const { now } = performance
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + ms)
}

const outcomes = ({ log }: TestGateway) => log.ofType('outcome').map((record) => JSON.parse(String(record.value)))

test('a process that slept longer than its lease sends no command, and registers its living sockets again', async () => {
  const gateway = await start()
  const { connect, log, redis } = gateway
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  const before = redis.owners.get('CP1')?.epoch ?? 0

  sleep(20_000)
  await redis.ownership.dispatch('CP1', commandMessage({ commandId: 'stale' }))

  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({ commandId: 'stale', outcome: 'unsent' })
  await until(() => log.ofType('connected').length === 2)
  expect(redis.owners.get('CP1')?.epoch).toBeGreaterThan(before)
  await redis.ownership.dispatch('CP1', commandMessage({ commandId: 'fresh' }))
  expect((await station.first((frame) => frame[0] === 2))[2]).toBe('ClearCache')
})

test('a command that came during a sleep shorter than the lease is not sent when a takeover follows it', async () => {
  const gateway = await start()
  const { connect, log, redis } = gateway
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  const { proven, profileSetAt } = { proven: { profile: 1, at: Date.now() }, profileSetAt: null }

  sleep(5_000)
  await redis.ownership.dispatch('CP1', commandMessage({ commandId: 'stale' }))
  const newcomer = { connectionId: 'newer', gatewayId: 'another', protocol: 'ocpp1.6', proven, profileSetAt }
  await redis.ownership.register('CP1', newcomer)

  expect(await station.closed).toMatchObject({ code: 4409 })
  await until(() => outcomes(gateway).length === 1)
  expect(outcomes(gateway)[0]).toMatchObject({ commandId: 'stale', outcome: 'unsent' })
})

test('what came during a sleep is sent when nobody has taken the station over', async () => {
  const { connect, log, redis } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)

  sleep(5_000)
  await redis.ownership.dispatch('CP1', commandMessage({ commandId: 'late' }))

  expect((await station.first((frame) => frame[0] === 2))[2]).toBe('ClearCache')
})

test('a long sleep is not taken for the silence of stations', async () => {
  const { connect } = await start()
  const station = await connect()

  sleep(300_000)
  await new Promise((resolve) => setTimeout(resolve, 150))
  station.call('1', 'Heartbeat', {})

  expect((await station.answer('1'))[0]).toBe(3)
})

test('a socket that shows no life does not take its station back', async () => {
  const gateway = await start()
  const { connect, log, redis } = gateway
  await connect({ autoPong: false })
  await until(() => log.ofType('connected').length === 1)
  redis.owners.set('CP1', {
    epoch: 9e15,
    connectionId: 'at another gateway',
    gatewayId: 'another',
    protocol: 'ocpp1.6',
  })

  sleep(20_000)
  await new Promise((resolve) => setTimeout(resolve, 200))

  expect(redis.owners.get('CP1')?.connectionId).toBe('at another gateway')
})

test('Redis without its data: all are registered again at the next renewal, and commands find them', async () => {
  const gateway = await start()
  const { connect, log, redis } = gateway
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)

  redis.empty()

  await until(() => log.ofType('connected').length === 2)
  await redis.ownership.dispatch('CP1', commandMessage({ commandId: 'found' }))
  expect((await station.first((frame) => frame[0] === 2))[2]).toBe('ClearCache')
})

test('Redis away longer than the lease: all are registered again on its return', async () => {
  const gateway = await start()
  const { connect, log, redis } = gateway
  await connect()
  await until(() => log.ofType('connected').length === 1)
  redis.isAway = true
  sleep(20_000)
  await new Promise((resolve) => setTimeout(resolve, 100))
  redis.owners.clear()

  redis.isAway = false

  await until(() => redis.owners.size === 1)
})

test('registering again, a connection whose station proved a higher profile elsewhere meanwhile is closed', async () => {
  const { connect, log, redis } = await start()
  const station = await connect()
  await until(() => log.ofType('connected').length === 1)
  redis.proven.set('CP1', { profile: 2, at: Date.now() })

  redis.empty()

  expect(await station.closed).toMatchObject({ code: 1008 })
  expect(redis.owners.size).toBe(0)
})
