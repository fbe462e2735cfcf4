import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { must } from '../support/api-client.js'
import { untilDrained } from '../support/log-ends.js'
import { allServices, hasServices, type System, startDistributed, startEmbedded, until } from '../support/system.js'
import { readEvents } from '../support/topics.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

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
    const { client } = system.api
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
      const { items } = must(
        await client.GET('/v1/dead-letters', { params: { query: { station: id, state: 'open' } } }),
      )
      return items.find(({ frame }) => frame?.includes('StopTransaction'))
    })
    expect(letter.error).toContain(constraint)
    // Nothing is lost for the station either: it got its answer.
    expect((await stopped).kind).toBe('result')
    const transaction = async () =>
      must(await client.GET('/v1/transactions', { params: { query: { station: id } } })).items
    expect(await transaction()).toMatchObject([{ status: 'active' }])

    await system.database.query(`ALTER TABLE charging_transaction DROP CONSTRAINT ${constraint}`)
    const replay = async () =>
      must(await client.POST('/v1/dead-letters/{id}/replay', { params: { path: { id: letter.id } } }))
    await replay()
    const ended = await until('the end of the transaction', async () =>
      (await transaction()).find(({ status }) => status === 'ended'),
    )
    expect(ended.energyWh).toBe(4_242)
    // Once more, one by one and in bulk: nothing more comes of it.
    await replay()
    must(await client.POST('/v1/dead-letters/replay', { body: { ids: [letter.id] } }))
    await untilDrained(system)

    expect(await transaction()).toEqual([ended])
    const events = (await readEvents(system)).filter(({ subject }) => subject === ended.id)
    const told = new Map(events.map((event) => [event.id, event.type]))
    expect([...told.values()].filter((type) => type === 'busbar.transaction.ended.v1')).toHaveLength(1)
    expect([...told.values()].filter((type) => type === 'busbar.transaction.corrected.v1')).toEqual([])
    const { items } = must(await client.GET('/v1/dead-letters', { params: { query: { station: id } } }))
    expect(items).toMatchObject([{ id: letter.id, state: 'replayed' }])
    const audit = must(await client.GET('/v1/audit', { params: { query: { targetId: letter.id } } }))
    expect(audit.items.map(({ action }) => action)).toEqual(Array(3).fill('dead-letter.replay'))
    station.close()
  })
})
