import { VirtualStation } from '@busbar/simulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiClient, must } from '../support/api-client.js'
import { type System, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const fleet = 24
let system: System
let second: ApiClient
let group: string
const stations: VirtualStation[] = []

beforeAll(async () => {
  system = await startEmbedded()
  second = await system.createKey('second', 'operator')
  const ids = Array.from({ length: fleet }, (_, index) => `BULK-${index}`)
  for (const [index, id] of ids.entries()) {
    await system.api.registerStation(id, password)
    const protocol = index % 2 === 0 ? 'ocpp1.6' : 'ocpp2.0.1'
    const station = new VirtualStation({ id, protocol, urls: system.urls, password, reconnectMs: 50 })
    await station.start()
    stations.push(station)
  }
  const { client } = system.api
  group = must(await client.POST('/v1/station-groups', { body: { name: 'all' } })).id
  const all = { params: { path: { id: group } }, body: { add: ids, remove: [] } }
  must(await client.POST('/v1/station-groups/{id}/stations', all))
}, 120_000)
afterAll(async () => {
  await Promise.all(stations.map((station) => station.stop()))
  await system?.stop()
})

const clearCache = { action: 'ClearCache', payload: {}, jitterSeconds: 0, stopAbovePercent: null }
const create = async (rest: { group?: string; stations?: string[]; pacePerMinute?: number }) =>
  must(await system.api.client.POST('/v1/bulk-commands', { body: { ...clearCache, ...rest } }))
const of = (id: string) => ({ params: { path: { id } } })
const read = async (id: string) => must(await system.api.client.GET('/v1/bulk-commands/{id}', of(id)))
const approve = async (id: string, reason: string) =>
  must(await second.client.POST('/v1/bulk-commands/{id}/approve', { ...of(id), body: { reason } }))
const commandsOf = ({ ledger }: VirtualStation) =>
  ledger.commands.filter(({ action }) => action === 'ClearCache').length
const executed = () => stations.map(commandsOf)

test('a group of stations of both versions, approved by a second operator; killed in its midst it goes on, and no station is asked twice', async () => {
  // More than a tenth of 24 stations a minute.
  const { id, status } = await create({ group, pacePerMinute: 60 })
  expect(status).toBe('awaiting-approval')
  expect(executed().every((count) => count === 0)).toBe(true)
  await approve(id, 'agreed by phone')
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

  const { client } = system.api
  const page = { query: { limit: 200 } }
  const { items } = must(await client.GET('/v1/bulk-commands/{id}/stations', { params: { path: { id }, ...page } }))
  expect(new Set(items.map(({ commandId }) => commandId)).size).toBe(fleet)
  const audit = must(await client.GET('/v1/audit', { params: page }))
  expect(audit.items.filter(({ action }) => action === 'command.send')).toHaveLength(fleet)
}, 240_000)

test('a stop and the kill switch hold from their answer on', async () => {
  const before = executed()
  const { id } = await create({ group, pacePerMinute: 60 })
  await approve(id, 'agreed')
  await until('the first', () => executed().some((count, index) => count > (before[index] ?? 0)))
  const { client } = system.api
  must(await client.POST('/v1/bulk-kill-switch', { body: { reason: 'something is wrong' } }))
  const stopped = await until('the verdicts', async () => {
    const bulk = await read(id)
    return bulk.status === 'stopped' && !bulk.progress.queued && !bulk.progress.dispatched && bulk
  })
  const sent = fleet - (stopped.progress.waiting ?? 0)
  expect(sent).toBeLessThan(fleet)

  const refused = await client.POST('/v1/bulk-commands', { body: { ...clearCache, stations: ['BULK-0'] } })
  expect(refused.response.status).toBe(409)
  must(await client.DELETE('/v1/bulk-kill-switch'))
  // One that runs to its end shows that the sweep went on.
  const other = await create({ stations: ['BULK-0'] })
  await until('its end', async () => (await read(other.id)).status === 'completed')
  expect((await read(id)).progress.waiting).toBe(fleet - sent)

  must(await client.POST('/v1/bulk-commands/{id}/resume', { ...of(id), body: { reason: 'it is well' } }))
  await until('all', async () => (await read(id)).status === 'completed', 120_000)
  const extra = executed().map((count, index) => count - (before[index] ?? 0) - (index === 0 ? 1 : 0))
  expect(extra).toEqual(Array.from({ length: fleet }, () => 1))
}, 240_000)
