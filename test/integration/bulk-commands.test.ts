import { VirtualStation } from '@busbar/simulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiClient } from '../support/api-client.js'
import { type System, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const fleet = 24
let system: System
let second: ApiClient
let group: string
const stations: VirtualStation[] = []

beforeAll(async () => {
  system = await startEmbedded()
  const { key } = await system.api.expect<{ key: string }>('POST', '/api-keys', { name: 'second', role: 'operator' })
  // As one made on the command line, which another Busbar holds the folder against: an owner of its own.
  await system.database.query("UPDATE api_key SET owner = 'second' WHERE name = 'second'")
  second = new ApiClient(system.api.url, key)
  const ids = Array.from({ length: fleet }, (_, index) => `BULK-${index}`)
  for (const [index, id] of ids.entries()) {
    await system.api.registerStation(id, password)
    const protocol = index % 2 === 0 ? 'ocpp1.6' : 'ocpp2.0.1'
    const station = new VirtualStation({ id, protocol, urls: system.urls, password, reconnectMs: 50 })
    await station.start()
    stations.push(station)
  }
  group = (await system.api.expect<{ id: string }>('POST', '/station-groups', { name: 'all' })).id
  await system.api.expect('POST', `/station-groups/${group}/stations`, { add: ids, remove: [] })
}, 120_000)
afterAll(async () => {
  await Promise.all(stations.map((station) => station.stop()))
  await system?.stop()
})

interface Bulk {
  id: string
  status: string
  progress: Record<string, number>
}
const clearCache = { action: 'ClearCache', payload: {}, jitterSeconds: 0, stopAbovePercent: null }
const create = (rest: object) => system.api.expect<Bulk>('POST', '/bulk-commands', { ...clearCache, ...rest })
const read = (id: string) => system.api.get<Bulk>(`/bulk-commands/${id}`)
const commandsOf = ({ ledger }: VirtualStation) =>
  ledger.commands.filter(({ action }) => action === 'ClearCache').length
const executed = () => stations.map(commandsOf)

test('a group of stations of both versions, approved by a second operator; killed in its midst it goes on, and no station is asked twice', async () => {
  // More than a tenth of 24 stations a minute.
  const { id, status } = await create({ group, pacePerMinute: 60 })
  expect(status).toBe('awaiting-approval')
  expect(executed().every((count) => count === 0)).toBe(true)
  await second.expect('POST', `/bulk-commands/${id}/approve`, { reason: 'agreed by phone' })
  await until('the first', () => executed().filter((count) => count > 0).length >= 4)

  const [up] = system.gateways
  up?.signal('SIGKILL')
  await up?.exited
  const before = executed().filter((count) => count > 0).length
  expect(before).toBeLessThan(fleet)
  await system.restartGateway(0)

  const end = await until(
    'its end',
    async () => {
      const bulk = await read(id)
      return bulk.status === 'completed' && bulk
    },
    120_000,
  )
  expect(Object.values(end.progress).reduce((sum, count) => sum + count, 0)).toBe(fleet)
  expect(executed().every((count) => count <= 1)).toBe(true)
  expect(executed().filter((count) => count > 0).length).toBeGreaterThan(before)
  // What was under way in the kill is unknown, and whose turn came before it was back could not be reached.
  const { accepted = 0, unknown = 0 } = end.progress
  expect(accepted + unknown).toBeGreaterThanOrEqual(before)
  expect(end.progress).not.toHaveProperty('waiting')

  const { items } = await system.api.get<{ items: { stationId: string; verdict: string; commandId: string }[] }>(
    `/bulk-commands/${id}/stations?limit=200`,
  )
  expect(new Set(items.map(({ commandId }) => commandId)).size).toBe(fleet)
  const audit = await system.api.get<{ items: { action: string }[] }>('/audit?limit=200')
  expect(audit.items.filter(({ action }) => action === 'command.send')).toHaveLength(fleet)
}, 240_000)

test('a stop and the kill switch hold from their answer on', async () => {
  const before = executed()
  const { id } = await create({ group, pacePerMinute: 60 })
  await second.expect('POST', `/bulk-commands/${id}/approve`, { reason: 'agreed' })
  await until('the first', () => executed().some((count, index) => count > (before[index] ?? 0)))
  await system.api.expect('POST', '/bulk-kill-switch', { reason: 'something is wrong' })
  const stopped = await until('the verdicts', async () => {
    const bulk = await read(id)
    return bulk.status === 'stopped' && !bulk.progress.queued && !bulk.progress.dispatched && bulk
  })
  const sent = fleet - (stopped.progress.waiting ?? 0)
  expect(sent).toBeLessThan(fleet)

  expect((await system.api.request('POST', '/bulk-commands', { ...clearCache, stations: ['BULK-0'] })).status).toBe(409)
  await system.api.expect('DELETE', '/bulk-kill-switch')
  // One that runs to its end shows that the sweep went on.
  const other = await create({ stations: ['BULK-0'] })
  await until('its end', async () => (await read(other.id)).status === 'completed')
  expect((await read(id)).progress.waiting).toBe(fleet - sent)

  await system.api.expect('POST', `/bulk-commands/${id}/resume`, { reason: 'it is well' })
  await until('all', async () => (await read(id)).status === 'completed', 120_000)
  const extra = executed().map((count, index) => count - (before[index] ?? 0) - (index === 0 ? 1 : 0))
  expect(extra).toEqual(Array.from({ length: fleet }, () => 1))
}, 240_000)
