import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { untilDrained } from '../support/log-ends.js'
import { allServices, hasServices, type System, startDistributed, startEmbedded, until } from '../support/system.js'
import { readEvents } from '../support/topics.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

interface Letter {
  id: string
  error: string
  state: string
  frame: string
}
interface Transaction {
  id: string
  status: string
  energyWh: number | null
}

const setUps: [string, () => Promise<System>, boolean][] = [
  ['embedded', () => startEmbedded(), true],
  [
    'two gateways, two workers, Kafka',
    () => startDistributed({ gateways: 2, workers: [allServices, allServices] }),
    hasServices(),
  ],
]

describe.each(setUps.filter(([, , isThere]) => isThere))('%s', (_, open) => {
  let system: System
  beforeAll(async () => {
    system = await open()
    await system.api.registerToken('TOKEN-1')
  })
  afterAll(() => system?.stop())

  test('a record that could not be stored is kept, and takes effect once when it is replayed after the mending', async () => {
    const id = 'POISONED'
    await system.api.registerStation(id, password)
    const open = () => StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    const station = await open()
    await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'Socket' })
    const timestamp = new Date().toISOString()
    const started = await station.call('StartTransaction', {
      connectorId: 1,
      idTag: 'TOKEN-1',
      meterStart: 100,
      timestamp,
    })
    if (started.kind !== 'result') throw new Error('not started')
    const { transactionId } = started.payload
    // A fault of ours, as a migration gone wrong would be: Postgres takes no total of 4,242 Wh.
    const constraint = 'energy_of_the_test'
    await system.database.query(
      `ALTER TABLE charging_transaction ADD CONSTRAINT ${constraint} CHECK (energy_wh IS DISTINCT FROM 4242)`,
    )

    const stopped = station.call('StopTransaction', { transactionId, meterStop: 4342, timestamp, reason: 'Local' })
    // Its neighbours go on.
    const other = await station.call('Heartbeat', {})
    expect(other.kind).toBe('result')
    const letter = await until('the dead letter', async () => {
      const { items } = await system.api.get<{ items: Letter[] }>(`/dead-letters?station=${id}&state=open`)
      return items.find(({ frame }) => frame.includes('StopTransaction'))
    })
    expect(letter.error).toContain(constraint)
    // Nothing is lost for the station either: it got its answer.
    expect((await stopped).kind).toBe('result')
    const transaction = async () =>
      (await system.api.get<{ items: Transaction[] }>(`/transactions?station=${id}`)).items
    expect(await transaction()).toMatchObject([{ status: 'active' }])

    await system.database.query(`ALTER TABLE charging_transaction DROP CONSTRAINT ${constraint}`)
    await system.api.expect('POST', `/dead-letters/${letter.id}/replay`)
    const ended = await until('the end of the transaction', async () =>
      (await transaction()).find(({ status }) => status === 'ended'),
    )
    expect(ended.energyWh).toBe(4_242)
    // Once more, one by one and in bulk: nothing more comes of it.
    await system.api.expect('POST', `/dead-letters/${letter.id}/replay`)
    await system.api.expect('POST', '/dead-letters/replay', { ids: [letter.id] })
    await untilDrained(system)

    expect(await transaction()).toEqual([ended])
    const events = (await readEvents(system)).filter(({ subject }) => subject === ended.id)
    const told = new Map(events.map((event) => [event.id, event.type]))
    expect([...told.values()].filter((type) => type === 'busbar.transaction.ended.v1')).toHaveLength(1)
    expect([...told.values()].filter((type) => type === 'busbar.transaction.corrected.v1')).toEqual([])
    const { items } = await system.api.get<{ items: Letter[] }>(`/dead-letters?station=${id}`)
    expect(items).toMatchObject([{ id: letter.id, state: 'replayed' }])
    const audit = await system.api.get<{ items: { action: string }[] }>(`/audit?targetId=${letter.id}`)
    expect(audit.items.map(({ action }) => action)).toEqual(Array(3).fill('dead-letter.replay'))
    station.close()
  })
})
