import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type ChannelListener,
  type ChannelMessage,
  type CommandMessage,
  leaseMs,
  type Newcomer,
  type Ownership,
  stationChannel,
} from '../index.js'
import { type Harness, services, sides, until } from './sides.js'

describe.each(sides)('ownership, $name', (side) => {
  let harness: Harness
  let ownership: Ownership
  let station: string
  let gateway: string
  beforeAll(async () => {
    harness = await side.open({ partitions: 1 })
    ownership = harness.backbone.ownership
  }, 40_000)
  afterAll(() => harness.close(), 40_000)
  beforeEach(() => {
    station = `CP ${randomBytes(4).toString('hex')}`
    gateway = `gateway-${randomBytes(4).toString('hex')}`
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  const command = (): Omit<CommandMessage, 'epoch'> => ({
    kind: 'command',
    commandId: 'k1',
    callIndex: 0,
    expiresAt: '2099-01-01T00:00:00.000Z',
    action: 'Reset',
    payload: { type: 'Hard', note: '"}\u0000%s \\' },
  })

  const newcomer = (connectionId: string, profile = 1, at = Date.now()): Newcomer => ({
    connectionId,
    gatewayId: gateway,
    protocol: 'ocpp1.6',
    proven: { profile, at },
    profileSetAt: null,
  })

  async function own(stationId: string, connectionId: string, gatewayId: string, protocol: string) {
    const registered = await ownership.register(stationId, { ...newcomer(connectionId), gatewayId, protocol })
    if ('boundTo' in registered) throw new Error('refused')
    return registered
  }

  async function listen() {
    const heard: ChannelMessage[] = []
    const { channels } = harness.backbone
    const listener: ChannelListener = { receive: (message) => heard.push(message) }
    await channels.subscribe(stationChannel(station), listener)
    const unsubscribe = () => channels.unsubscribe(stationChannel(station), listener)
    return { heard, unsubscribe }
  }

  /** Lets time pass as far as leases are concerned. */
  async function passLease(): Promise<void> {
    if (side.name === 'embedded') {
      const now = performance.now()
      vi.spyOn(performance, 'now').mockReturnValue(now + leaseMs + 1)
      return
    }
    const redis = new Redis(services?.redisUrl ?? '')
    const prefix = harness.backbone.topics.events.replace(/\.events$/, ':')
    await redis.zadd(`${prefix}leases`, 'XX', 0, gateway)
    await redis.zadd(`${prefix}lapses`, 'XX', 0, gateway)
    redis.disconnect()
  }

  test('each connection gets a higher epoch than the one before, near the time in microseconds', async () => {
    const epochs: number[] = []
    for (let i = 0; i < 5; i++) epochs.push((await own(station, `c${i}`, gateway, 'ocpp1.6')).epoch)

    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b))
    expect(Math.abs((epochs[0] ?? 0) / 1000 - Date.now())).toBeLessThan(5000)
    expect(epochs.every(Number.isSafeInteger)).toBe(true)
  })

  test('the connection that is taken over hears of it', async () => {
    const { heard } = await listen()
    const { epoch } = await own(station, 'connection "2"', gateway, 'ocpp1.6')
    await until(() => heard.length === 1)

    expect(heard).toEqual([{ kind: 'takeover', epoch, connectionId: 'connection "2"' }])
  })

  test('a command goes to the owner with the epoch of its connection', async () => {
    const { heard } = await listen()
    const { epoch } = await own(station, 'c1', gateway, 'ocpp1.6')

    expect(await ownership.dispatch(station, command())).toEqual({ receivers: 1, epoch, gatewayId: gateway })
    await until(() => heard.length === 2)
    expect(heard[1]).toEqual({ ...command(), epoch })
  })

  test('one CALL of a command is handed out once, however often somebody comes with it', async () => {
    await own(station, 'c1', gateway, 'ocpp1.6')
    expect(await ownership.dispatch(station, command())).toMatchObject({ receivers: 0 })
    const { heard } = await listen()

    expect(await ownership.dispatch(station, command())).toMatchObject({ receivers: 1 })
    expect(await ownership.dispatch(station, command())).toBe('repeated')
    expect(await ownership.dispatch(station, { ...command(), callIndex: 1 })).toMatchObject({ receivers: 1 })
    await until(() => heard.length === 2)
    expect(heard).toMatchObject([{ callIndex: 0 }, { callIndex: 1 }])
  })

  test('what has expired is not handed out, and whoever was handed it before is still known', async () => {
    await own(station, 'c1', gateway, 'ocpp1.6')
    const { heard } = await listen()
    const late = { ...command(), expiresAt: new Date(Date.now() - 1).toISOString() }
    await ownership.dispatch(station, command())

    expect(await ownership.dispatch(station, late)).toBe('repeated')
    expect(await ownership.dispatch(station, { ...late, callIndex: 1 })).toBe('expired')
    await until(() => heard.length === 1)
    expect(heard).toMatchObject([{ callIndex: 0 }])
  })

  test('the owner is found while it is one, with the version it speaks', async () => {
    expect(await ownership.find(station)).toBeNull()
    await own(station, 'c1', gateway, 'ocpp2.0.1')
    const { epoch } = await own(station, 'c2', gateway, 'ocpp1.6')

    expect(await ownership.find(station)).toMatchObject({ connectionId: 'c2', protocol: 'ocpp1.6' })
    await ownership.unregister(station, epoch)
    expect(await ownership.find(station)).toBeNull()
  })

  test('a station that nobody owns gets no command, even if somebody listens', async () => {
    const { heard, unsubscribe } = await listen()

    expect(await ownership.dispatch(station, command())).toEqual({ receivers: 0, epoch: null, gatewayId: null })
    await unsubscribe()
    expect(heard).toEqual([])
  })

  test('an owner whose gateway listens no more has no receivers', async () => {
    const { epoch } = await own(station, 'c1', gateway, 'ocpp1.6')

    expect(await ownership.dispatch(station, command())).toEqual({ receivers: 0, epoch, gatewayId: gateway })
  })

  test('a late close does not remove the newcomer', async () => {
    const old = await own(station, 'c1', gateway, 'ocpp1.6')
    const current = await own(station, 'c2', 'another gateway', 'ocpp1.6')

    expect(await ownership.unregister(station, old.epoch)).toBe(false)
    expect(await ownership.dispatch(station, command())).toMatchObject({ epoch: current.epoch })
    expect(await ownership.unregister(station, current.epoch)).toBe(true)
    expect(await ownership.dispatch(station, command())).toMatchObject({ epoch: null })
  })

  test('a gateway that renews its lease keeps its stations', async () => {
    await ownership.renewLease(gateway)
    await own(station, 'c1', gateway, 'ocpp1.6')

    expect(await ownership.takeLapsed()).not.toContainEqual(expect.objectContaining({ gatewayId: gateway }))
    expect(await ownership.dispatch(station, command())).toMatchObject({ gatewayId: gateway })
  })

  test('a lease is known until it lapses or the gateway leaves', async () => {
    expect(await ownership.renewLease(gateway)).toBe(false)
    expect(await ownership.renewLease(gateway)).toBe(true)
    await passLease()
    await ownership.takeLapsed()
    vi.restoreAllMocks()
    expect(await ownership.renewLease(gateway)).toBe(false)
    expect(await ownership.renewLease(gateway)).toBe(true)
    await ownership.releaseGateway(gateway)
    await ownership.releaseGateway(gateway)
    expect(await ownership.renewLease(gateway)).toBe(false)
    await ownership.releaseGateway(gateway)
  })

  test('the stations of a lapsed gateway are handed out once, without those that moved on', async () => {
    await ownership.renewLease(gateway)
    const { epoch } = await own(station, 'c 1', gateway, 'ocpp1.6')
    await own(`${station}-moved`, 'c2', gateway, 'ocpp1.6')
    await own(`${station}-moved`, 'c3', 'another gateway', 'ocpp1.6')
    await passLease()

    const lapsed = (await ownership.takeLapsed()).filter((each) => each.gatewayId === gateway)

    expect(lapsed).toEqual([{ gatewayId: gateway, stations: [{ stationId: station, connectionId: 'c 1', epoch }] }])
    expect(await ownership.dispatch(station, command())).toMatchObject({ epoch: null })
    expect(await ownership.takeLapsed()).not.toContainEqual(expect.objectContaining({ gatewayId: gateway }))
    await ownership.releaseGateway(gateway)
  })

  test('what a dead taker did not finish is handed out again, what is released is not', async () => {
    await ownership.renewLease(gateway)
    const { epoch } = await own(station, 'c1', gateway, 'ocpp1.6')
    await passLease()
    const first = await ownership.takeLapsed()
    await passLease()
    if (side.name === 'embedded') vi.spyOn(performance, 'now').mockReturnValue(performance.now() + leaseMs + 1)

    const again = await ownership.takeLapsed()
    expect(again).toContainEqual({ gatewayId: gateway, stations: [{ stationId: station, connectionId: 'c1', epoch }] })
    expect(first).toContainEqual(again.find((each) => each.gatewayId === gateway))

    await ownership.releaseGateway(gateway)
    await passLease()
    expect(await ownership.takeLapsed()).not.toContainEqual(expect.objectContaining({ gatewayId: gateway }))
  })

  test('a gateway that comes back after its lapse keeps what it registers then', async () => {
    await ownership.renewLease(gateway)
    await own(station, 'c1', gateway, 'ocpp1.6')
    await passLease()
    await ownership.takeLapsed()
    vi.restoreAllMocks()
    await ownership.renewLease(gateway)
    const { epoch } = await own(station, 'c1', gateway, 'ocpp1.6')
    await ownership.releaseGateway(gateway)

    expect(await ownership.dispatch(station, command())).toMatchObject({ epoch, gatewayId: gateway })
  })

  test('a gateway that leaves by itself is never lapsed', async () => {
    await ownership.renewLease(gateway)
    await own(station, 'c1', gateway, 'ocpp1.6')
    await ownership.releaseGateway(gateway)
    await passLease()

    expect(await ownership.takeLapsed()).not.toContainEqual(expect.objectContaining({ gatewayId: gateway }))
    expect(await ownership.dispatch(station, command())).toMatchObject({ epoch: null })
  })

  test('a station is bound to the highest profile it proved, and who comes with a lower one takes nothing over', async () => {
    const provenAt = Date.now() - 1_000
    const higher = await ownership.register(station, newcomer('c1', 2, provenAt))
    const { heard } = await listen()

    const lower = { ...newcomer('c2'), gatewayId: 'another gateway' }
    expect(await ownership.register(station, lower)).toEqual({ boundTo: { profile: 2, at: provenAt } })
    expect(await ownership.find(station)).toMatchObject({ connectionId: 'c1' })
    expect(await ownership.dispatch(station, command())).toMatchObject({ epoch: 'epoch' in higher && higher.epoch })
    await until(() => heard.length === 1)
    expect(heard).toMatchObject([{ kind: 'command' }])
    expect(await ownership.register(station, newcomer('c3', 2))).toHaveProperty('epoch')
    expect(await ownership.register(station, newcomer('c4', 3))).toHaveProperty('epoch')
    expect(await ownership.register(station, newcomer('c5', 2))).toMatchObject({ boundTo: { profile: 3 } })
  })

  test('what was proved binds a station that has left, until the operator chooses a profile anew', async () => {
    const provenAt = Date.now() - 1_000
    const registered = await ownership.register(station, newcomer('c1', 3, provenAt))
    if ('epoch' in registered) await ownership.unregister(station, registered.epoch)
    const lower = newcomer('c2')

    const before = { ...lower, profileSetAt: new Date(provenAt - 1) }
    expect(await ownership.register(station, before)).toMatchObject({ boundTo: { profile: 3 } })
    const since = { ...lower, profileSetAt: new Date(provenAt + 1) }
    expect(await ownership.register(station, since)).toHaveProperty('epoch')
  })

  test('an old connection that registers again makes nothing of a newer proof', async () => {
    const [old, chosen, recent] = [3_000, 2_000, 1_000].map((ago) => Date.now() - ago)
    const profileSetAt = new Date(chosen ?? 0)
    await ownership.register(station, { ...newcomer('c1', 2, recent), profileSetAt })
    await ownership.register(station, newcomer('c0', 2, old))

    const lower = { ...newcomer('c2'), profileSetAt }
    expect(await ownership.register(station, lower)).toEqual({ boundTo: { profile: 2, at: recent } })
  })
})
