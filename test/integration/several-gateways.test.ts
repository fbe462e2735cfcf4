import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, tryUpgrade } from '../faults/upgrade.js'
import { type Caller, type Doors, knock, letIn, makeDoors, operatorName, statusOf } from '../support/doors.js'
import { allServices, hasServices, type System, startDistributed, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

interface Refused {
  items: { stationId: string; reason: string; address: string; count: number; gateways: string[] }[]
  gateways: number
  silentGateways: number
}

describe.skipIf(!hasServices())('two gateways on real Kafka, Redis and Postgres', () => {
  let system: System
  let doors: Doors
  beforeAll(async () => {
    doors = await makeDoors()
    system = await startDistributed(
      { gateways: 2, workers: [allServices], partitions: 4 },
      { ...doors.env, BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1', BUSBAR_TRUSTED_PROXIES: '127.0.0.1' },
    )
    const { certificate } = doors.stationRoot
    await system.api.expect('POST', '/trust-anchors', { name: 'Stations', certificate })
  })
  afterAll(async () => {
    await system?.stop()
    await doors?.remove()
  })

  /** The station at a gateway, by the profile it comes with. */
  async function waysOf(id: string) {
    await system.api.registerStation(id, password)
    const identity = await doors.stationRoot.issue({ commonName: id, organization: operatorName })
    const comes = (url: string | undefined, rest: Partial<Caller>) => knock(url ?? '', doors, { id, ...rest })
    return {
      1: (at: number) => comes(system.urls[at], { password }),
      2: (at: number) => comes(system.secureUrls[at], { password }),
      3: (at: number) => comes(system.secureUrls[at], { identity }),
    }
  }

  const shown = (id: string) => system.api.get<{ provenProfile: number }>(`/stations/${id}`)
  const refused = () => system.api.get<Refused>('/refused-attempts')

  /** Keeps everybody else from the tables meanwhile. */
  async function whileLocked(tables: string, mode: 'EXCLUSIVE' | 'ACCESS EXCLUSIVE', work: () => Promise<void>) {
    const lock = await system.database.connect()
    try {
      await lock.query('BEGIN')
      await lock.query(`LOCK TABLE ${tables} IN ${mode} MODE`)
      await work()
    } finally {
      await lock.query('COMMIT')
      lock.release()
    }
  }

  test('a profile proved at one gateway binds at the other at once, before any worker has written it down', async () => {
    const id = 'CLIMBS'
    const ways = await waysOf(id)
    await until('the trust anchor', async () => (await refusalOfStranger()) !== 'certificate-untrusted')

    await whileLocked('station_state', 'EXCLUSIVE', async () => {
      const holder = await letIn(ways[2](0))
      expect(await statusOf(ways[1](1))).toBe(403)
      expect(holder.readyState).toBe(holder.OPEN)
      expect(await statusOf(ways[2](1))).toBe(101)
      expect(await statusOf(ways[3](1))).toBe(101)
      expect([await statusOf(ways[1](0)), await statusOf(ways[2](0))]).toEqual([403, 403])
      expect(await statusOf(ways[3](0))).toBe(101)
      expect((await shown(id)).provenProfile).toBe(0)
    })

    await until('profile 3 in the books', async () => (await shown(id)).provenProfile === 3)
    await system.api.expect('PATCH', `/stations/${id}`, { securityProfile: 1 })
    expect([await statusOf(ways[1](1)), await statusOf(ways[1](0))]).toEqual([101, 101])
  })

  /** Why a station of ours that nobody has registered is turned away by its certificate, once the gateways trust its root. */
  async function refusalOfStranger(): Promise<string | undefined> {
    const id = 'STRANGER'
    if ((await system.api.request('GET', `/stations/${id}`)).status === 404)
      await system.api.registerStation(id, password)
    const identity = await doors.stationRoot.issue({ commonName: 'ANOTHER', organization: operatorName })
    for (const url of system.secureUrls) await statusOf(knock(url, doors, { id, identity }))
    return (await refused()).items.find(({ stationId }) => stationId === id)?.reason
  }

  test('a profile proved while Postgres gives no answer binds at the other gateway too', async () => {
    const id = 'CLIMBS-ALONE'
    const ways = await waysOf(id)
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    await station.call('BootNotification', { chargePointVendor: 'Busbar', chargePointModel: 'Climber' })
    station.close()
    // Accepted stations still get in: both gateways have read it since.
    expect([await statusOf(ways[1](0)), await statusOf(ways[1](1))]).toEqual([101, 101])

    await whileLocked('station, station_state', 'ACCESS EXCLUSIVE', async () => {
      expect(await statusOf(ways[2](0))).toBe(101)
      expect(await statusOf(ways[1](1))).toBe(403)
      expect(await statusOf(ways[2](1))).toBe(101)
    })
  })

  test('who was refused is one entry for all gateways, and off the list once let in at any of them', async () => {
    const id = 'TRIES'
    await system.api.registerStation(id, password)
    const [first = 0, second = 0] = system.gateways.map(({ port }) => port)
    await tryUpgrade(first, id, 'wrong', '10.0.0.1')
    await tryUpgrade(first, 'NOBODY', 'wrong', '10.0.0.1')
    await tryUpgrade(first, id, 'wrong', '10.0.0.1')
    await tryUpgrade(second, id, 'wrong', '10.0.0.2')

    const before = await refused()
    expect(before).toMatchObject({ gateways: 2, silentGateways: 0 })
    expect(before.items.slice(0, 2)).toMatchObject([
      { stationId: id, reason: 'credentials', address: '10.0.0.2', count: 3 },
      { stationId: 'NOBODY', reason: 'unknown', count: 1 },
    ])
    expect(before.items.slice(0, 2).map(({ gateways }) => gateways.length)).toEqual([2, 1])

    expect((await tryUpgrade(second, id, password, '10.0.0.2')).status).toBe(101)
    await until('off the list', async () => (await refused()).items.every(({ stationId }) => stationId !== id))
  })

  test('the list ends with the latest thousand ids', async () => {
    const ports = system.gateways.map(({ port }) => port)
    for (let index = 0; index < 1_200; index += 20) {
      const batch = Array.from({ length: 20 }, (_, offset) => index + offset)
      await Promise.all(batch.map((n) => tryUpgrade(ports[n % 2] ?? 0, `NONE-${n}`, 'x', addressOf(n))))
    }

    const { items } = await refused()
    expect(items).toHaveLength(1_000)
    const numbers = items.map(({ stationId }) => Number(stationId.slice('NONE-'.length)))
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(1_200 - 1_000 - 20)
    expect(numbers[0]).toBeGreaterThanOrEqual(1_180)
  })

  test('a frozen gateway is told as silent, a dead one is not counted, and what the others know is shown', async () => {
    const [living, other] = system.gateways
    await tryUpgrade(living?.port ?? 0, 'KNOWN-HERE', 'x', '10.0.0.3')
    other?.signal('SIGSTOP')
    const frozen = await refused()
    other?.signal('SIGCONT')
    expect(frozen).toMatchObject({ gateways: 1, silentGateways: 1 })
    expect(frozen.items[0]).toMatchObject({ stationId: 'KNOWN-HERE', gateways: [expect.any(String)] })

    other?.signal('SIGKILL')
    await other?.exited
    await until('only the living one is asked', async () => (await refused()).silentGateways === 0, 5_000)
    const afterwards = await refused()
    expect(afterwards.gateways).toBe(1)
    expect(afterwards.items[0]).toMatchObject({ stationId: 'KNOWN-HERE' })
    await system.restartGateway(1)
    // It takes stations before Redis answers it.
    await until('both are asked', async () => (await refused()).gateways === 2)
  })

  test('a command behind one that the station leaves unanswered is sent once that one is given up', async () => {
    const id = 'DEAF'
    await system.api.registerStation(id, password)
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    station.on('ClearCache', () => new Promise(() => {}))
    station.on('Reset', () => ({ status: 'Accepted' }))
    await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'Deaf' })

    const [unanswered, behind] = await Promise.all([
      system.api.request<{ status: string }>('POST', `/stations/${id}/commands?wait=60`, {
        action: 'ClearCache',
        payload: {},
      }),
      system.api.request<{ status: string }>('POST', `/stations/${id}/commands?wait=60`, {
        action: 'Reset',
        payload: { type: 'Soft' },
      }),
    ])
    expect([unanswered.body.status, behind.body.status]).toEqual(['timeout', 'accepted'])
    station.close()
  }, 90_000)
})
