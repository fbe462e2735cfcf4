import { Vault } from '@busbar/store'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createApiKey } from '../api-keys.js'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
let prisma: TestApi['database']['prisma']
let second: string
beforeAll(async () => {
  api = await startTestApi()
  prisma = api.database.prisma
  second = (await createApiKey(api.database, { name: 'second', role: 'operator' })).key
  await addStations('CS', 600)
})
afterAll(() => api.stop())
afterEach(async () => {
  const text = 'TRUNCATE bulk_command, bulk_target, bulk_kill_switch, command'
  await api.database.query({ text, values: [] })
})

async function addStations(prefix: string, count: number, spoken = 'ocpp1.6'): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(3, '0')}`)
  await prisma.station.createMany({ data: ids.map((id) => ({ id, foldedId: id.toLowerCase(), tags: [prefix] })) })
  await prisma.stationState.createMany({ data: ids.map((stationId) => ({ stationId, protocol: spoken })) })
  return ids
}
const stations = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `CS-${String(from + index).padStart(3, '0')}`)

const call = (method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object, key = api.keys.operator) =>
  api.app.inject({
    method,
    url: `/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(payload && { payload }),
  })
const reset = { action: 'Reset', payload: { type: 'Soft' }, jitterSeconds: 0 }

async function create(
  rest: object,
  key = api.keys.operator,
): Promise<{ id: string; status: string; pacePerMinute: number }> {
  const response = await call('POST', '/bulk-commands', { ...reset, ...rest }, key)
  expect(response.statusCode, response.body).toBe(201)
  return response.json()
}
const read = async (id: string) => (await call('GET', `/bulk-commands/${id}`)).json()
const reason = { reason: 'because' }
const sent = () => prisma.command.findMany({ orderBy: { stationId: 'asc' } })
const untilSent = (count: number) => expect.poll(async () => (await sent()).length, { timeout: 15_000 }).toBe(count)
const answer = (status: string, where: object = {}) =>
  prisma.command.updateMany({ where: { status: 'queued', ...where }, data: { status, completedAt: new Date() } })
/** As if the stations that had their turn had had it over a minute ago. */
const aMinutePasses = () =>
  api.database.query({ text: `UPDATE bulk_target SET sent_at = sent_at - interval '61 s'`, values: [] })

test('each station gets an ordinary command of the operator, and the progress tells what became of it', async () => {
  const { id, status, pacePerMinute } = await create({ stations: stations(3), name: 'restart' })
  expect({ status, pacePerMinute }).toEqual({ status: 'running', pacePerMinute: 50 })
  await untilSent(1)
  // The default pace spreads them: the second has its turn 1.2 s later.
  await untilSent(3)
  const commands = await sent()
  expect(commands.map(({ stationId, action, idempotencyKey }) => [stationId, action, idempotencyKey])).toEqual(
    stations(3).map((stationId) => [stationId, 'Reset', `bulk/${id}/${stationId}`]),
  )
  await answer('accepted', { stationId: 'CS-000' })
  await answer('rejected', { stationId: 'CS-001' })
  expect((await read(id)).progress).toEqual({ accepted: 1, rejected: 1, queued: 1 })
  await answer('timeout')
  await expect.poll(async () => (await read(id)).status, { timeout: 10_000 }).toBe('completed')

  const progress = { accepted: 1, rejected: 1, timeout: 1 }
  expect((await read(id)).progress).toEqual(progress)
  const list = (await call('GET', `/bulk-commands/${id}/stations?verdict=rejected`)).json()
  expect(list.items).toMatchObject([
    { stationId: 'CS-001', verdict: 'rejected', commandId: commands[1]?.id, error: null },
  ])
  expect((await call('GET', '/bulk-commands?status=completed')).json().items).toMatchObject([
    { id, name: 'restart', progress },
  ])
  const audit = await prisma.auditEntry.findMany({ where: { targetId: id } })
  expect(audit).toMatchObject([{ action: 'bulk-command.create', details: { stations: 3, needsApproval: false } }])
})

test('the stations of one that is completed are counted once, of others whenever they are asked for', async () => {
  const [completed, cancelled] = [await create({ stations: stations(2) }), await create({ stations: stations(1, 2) })]
  await untilSent(3)
  await call('POST', `/bulk-commands/${cancelled.id}/cancel`, reason)
  await answer('accepted')
  await expect.poll(async () => (await read(completed.id)).status, { timeout: 10_000 }).toBe('completed')

  await prisma.bulkTarget.deleteMany({ where: { stationId: 'CS-000' } })
  await prisma.command.updateMany({ where: { stationId: 'CS-002' }, data: { status: 'rejected' } })

  const { items } = (await call('GET', '/bulk-commands')).json()
  expect(items.map(({ progress }: { progress: object }) => progress)).toEqual([{ rejected: 1 }, { accepted: 2 }])
})

test('more than 50 stations wait for a second operator; whoever made it cannot approve it', async () => {
  const { id, status } = await create({ tag: 'CS', pacePerMinute: 6_000 })
  expect(status).toBe('awaiting-approval')
  expect((await call('POST', `/bulk-commands/${id}/approve`, reason)).statusCode).toBe(409)
  expect((await call('POST', `/bulk-commands/${id}/approve`, reason, api.keys.viewer)).statusCode).toBe(403)
  expect(await sent()).toEqual([])

  const approved = await call('POST', `/bulk-commands/${id}/approve`, reason, second)
  expect(approved.json()).toMatchObject({ status: 'running', decidedBy: expect.stringMatching(/^second\//) })
  await untilSent(600)
  expect((await call('POST', `/bulk-commands/${id}/approve`, reason, second)).statusCode).toBe(409)
})

test('no other key of the person who made it approves it, nor one made with that, until a key of another person does', async () => {
  const { id } = await create({ stations: stations(51) }, api.keys.admin)
  const approve = (key: string) => call('POST', `/bulk-commands/${id}/approve`, reason, key)
  const makeKey = async (key: string) =>
    (await call('POST', '/api-keys', { name: 'another', role: 'admin' }, key)).json().key
  const own = await makeKey(api.keys.admin)
  const ofOwn = await makeKey(own)
  const { items } = (await call('GET', '/api-keys', undefined, api.keys.admin)).json()
  const owners = items.filter(({ name }: { name: string }) => ['admin', 'another'].includes(name))
  expect(new Set(owners.map(({ owner }: { owner: string }) => owner)).size).toBe(1)
  const admin = await prisma.apiKey.findFirstOrThrow({ where: { name: 'admin' } })
  const named = await createApiKey(api.database, { name: 'console', role: 'admin', owner: admin.owner })

  for (const key of [api.keys.admin, own, ofOwn, named.key]) {
    const refused = await approve(key)
    expect(refused.statusCode).toBe(409)
    expect(refused.json().detail).toContain('a person other than')
  }
  expect((await approve(second)).statusCode).toBe(200)
})

test('a denied one is over, and so is one that nobody approved in time', async () => {
  const denied = await create({ stations: stations(51) })
  const forgotten = await create({ stations: stations(51) })
  await call('POST', `/bulk-commands/${denied.id}/deny`, reason, second)
  await prisma.bulkCommand.update({ where: { id: forgotten.id }, data: { dueAt: new Date() } })
  await expect.poll(async () => (await read(forgotten.id)).status, { timeout: 10_000 }).toBe('expired')
  expect(await read(denied.id)).toMatchObject({ status: 'denied', statusReason: 'because' })
  expect(await sent()).toEqual([])
})

test('what was stopped counts against the limit while it can be resumed, and is over when its time is', async () => {
  const expiresAt = new Date(Date.now() + 3_600_000)
  const stopped = await create({ stations: stations(50), expiresAt })
  await call('POST', `/bulk-commands/${stopped.id}/stop`, reason)
  const soon = await create({ stations: stations(10, 50), expiresAt })
  expect(soon.status).toBe('awaiting-approval')

  await prisma.bulkCommand.update({ where: { id: stopped.id }, data: { expiresAt: new Date() } })
  await aMinutePasses()

  expect(await create({ stations: stations(10, 50) })).toMatchObject({ status: 'running' })
  await expect.poll(async () => (await read(stopped.id)).status, { timeout: 10_000 }).toBe('expired')
  expect(await read(stopped.id)).toMatchObject({
    statusReason: 'nobody resumed it: because',
    completedAt: expect.any(String),
  })
  expect((await call('POST', `/bulk-commands/${stopped.id}/resume`, reason)).statusCode).toBe(409)
  expect(await prisma.auditEntry.findMany({ where: { targetId: stopped.id, actor: 'bulk-commands' } })).toMatchObject([
    { action: 'bulk-command.expire', details: { reason: 'nobody resumed it: because' } },
  ])
  expect((await read(soon.id)).status).toBe('awaiting-approval')
})

test('T17: splitting passes no limit, neither one after the other nor all at the same moment', async () => {
  const wishes = Array.from({ length: 8 }, (_, index) =>
    create({ stations: stations(25, index * 25), pacePerMinute: 50 }),
  )
  const made = await Promise.all(wishes)
  expect(made.map(({ status }) => status).sort()).toEqual([
    ...Array.from({ length: 6 }, () => 'awaiting-approval'),
    'running',
    'running',
  ])
  // As if they had been let pass: over all that run without approval there is one limit.
  const now = new Date()
  await prisma.bulkCommand.updateMany({ data: { status: 'running', startedAt: now, resumedAt: now, dueAt: now } })
  await api.database.query({ text: 'UPDATE bulk_target SET offset_ms = 0', values: [] })
  await untilSent(50)
  await expect
    .poll(async () => (await prisma.bulkCommand.findFirst({ orderBy: { dueAt: 'desc' } }))?.dueAt?.getTime())
    .toBeGreaterThan(Date.now())
  expect(await sent()).toHaveLength(50)
  await aMinutePasses()
  await prisma.bulkCommand.updateMany({ data: { dueAt: new Date() } })
  await untilSent(100)
})

test('a stop holds from its answer on, a resumed one goes on where it was, and a cancelled one never', async () => {
  const { id } = await create({ stations: stations(40), pacePerMinute: 50 })
  await untilSent(1)
  expect((await call('POST', `/bulk-commands/${id}/stop`, reason)).json().status).toBe('stopped')
  const before = (await sent()).length
  await api.database.query({ text: 'UPDATE bulk_target SET offset_ms = 0', values: [] })
  await prisma.bulkCommand.update({ where: { id }, data: { dueAt: new Date() } })
  // Another one goes on meanwhile, so the sweep has looked.
  const other = await create({ stations: ['CS-599'] })
  await untilSent(before + 1)
  expect((await read(id)).progress.waiting).toBe(40 - before)

  await call('POST', `/bulk-commands/${other.id}/cancel`, reason)
  expect((await call('POST', `/bulk-commands/${id}/resume`, reason)).json().status).toBe('running')
  await untilSent(41)
  expect((await call('POST', `/bulk-commands/${id}/cancel`, reason)).json().status).toBe('cancelled')
  expect((await call('POST', `/bulk-commands/${id}/resume`, reason)).statusCode).toBe(409)
})

test('it stops itself when too many fail', async () => {
  const { id } = await create({ stations: stations(40), pacePerMinute: 50, stopAfter: 5, stopAbovePercent: 40 })
  await api.database.query({
    text: 'UPDATE bulk_target SET offset_ms = CASE WHEN offset_ms < 6000 THEN 0 ELSE 3600000 END',
    values: [],
  })
  await untilSent(5)
  await answer('accepted', { stationId: { in: stations(2) } })
  await answer('rejected')
  await expect.poll(async () => (await read(id)).status, { timeout: 10_000 }).toBe('stopped')
  expect((await read(id)).statusReason).toBe('3 of 5 failed')
  expect(await sent()).toHaveLength(5)
})

test('one for few stations stops itself too, and after a resume by what became of those since', async () => {
  const { id } = await create({ stations: stations(4), pacePerMinute: 4, stopAbovePercent: 30 })
  const turns = (count: number) =>
    api.database.query({
      text: `UPDATE bulk_target SET offset_ms = CASE WHEN station_id < $1 THEN 0 ELSE 3600000 END`,
      values: [stations(1, count)[0]],
    })
  const status = () => expect.poll(async () => (await read(id)).status, { timeout: 10_000 })
  await turns(2)
  await untilSent(2)
  await answer('timeout')
  await status().toBe('stopped')
  expect((await read(id)).statusReason).toBe('2 of 2 failed')

  await call('POST', `/bulk-commands/${id}/resume`, reason)
  await turns(3)
  await untilSent(3)
  await answer('timeout')
  await status().toBe('stopped')
  expect((await read(id)).statusReason).toBe('1 of 1 failed')
})

test('the kill switch stops all, lets none start or go on, and is lifted by an admin', async () => {
  const running = await create({ stations: stations(30), pacePerMinute: 50 })
  const waiting = await create({ stations: stations(60) })
  expect((await call('POST', '/bulk-kill-switch', reason)).json()).toMatchObject({ engaged: true, reason: 'because' })
  expect(await read(running.id)).toMatchObject({ status: 'stopped', statusReason: 'kill switch: because' })
  expect((await call('POST', '/bulk-commands', { ...reset, stations: stations(1) })).statusCode).toBe(409)
  expect((await call('POST', `/bulk-commands/${running.id}/resume`, reason)).statusCode).toBe(409)
  expect((await call('POST', `/bulk-commands/${waiting.id}/approve`, reason, second)).statusCode).toBe(409)

  expect((await call('DELETE', '/bulk-kill-switch')).statusCode).toBe(403)
  expect((await call('DELETE', '/bulk-kill-switch', undefined, api.keys.admin)).statusCode).toBe(204)
  expect((await call('GET', '/bulk-kill-switch')).json().engaged).toBe(false)
  expect((await read(running.id)).status).toBe('stopped')
  expect((await call('POST', `/bulk-commands/${running.id}/resume`, reason)).json().status).toBe('running')
})

test('a station that never connected is told of, and no command is made', async () => {
  await prisma.station.create({ data: { id: 'UNSEEN', foldedId: 'unseen' } })
  const { id } = await create({ stations: ['UNSEEN', 'CS-001'], stopAbovePercent: null })
  await expect.poll(async () => (await read(id)).progress, { timeout: 10_000 }).toEqual({ refused: 1, queued: 1 })
  expect((await call('GET', `/bulk-commands/${id}/stations?verdict=refused`)).json().items).toMatchObject([
    { stationId: 'UNSEEN', commandId: null, error: expect.stringContaining('OCPP version') },
  ])
  expect((await call('POST', '/bulk-commands', { ...reset, stations: ['UNSEEN'] })).statusCode).toBe(409)
})

test.each([
  [{ stations: ['CS-000'], tag: 'CS' }, 400, 'just one of'],
  [{}, 400, 'just one of'],
  [{ stations: ['NOBODY'] }, 422, 'There is no station NOBODY.'],
  [{ tag: 'none' }, 422, 'There is no station'],
  [{ stations: ['CS-000'], action: 'Dance' }, 422, '1 of the stations, which speak ocpp1.6'],
  [{ stations: ['CS-000'], expiresAt: '2020-01-01T00:00:00Z' }, 422, 'over before it starts'],
  [{ stations: ['CS-000'], pacePerMinute: 0 }, 400, ''],
])('%j is refused with %i', async (rest, status, text) => {
  const response = await call('POST', '/bulk-commands', { ...reset, ...rest })
  expect(response.statusCode, response.body).toBe(status)
  expect(response.body).toContain(text)
  expect(await prisma.bulkCommand.count()).toBe(0)
})

test('a secret stands sealed in the row, and is shown to nobody', async () => {
  const payload = { key: 'AuthorizationKey', value: '00112233445566778899aabbccddeeff' }
  const { id } = await create({ stations: ['CS-000'], action: 'ChangeConfiguration', payload })
  const row = await prisma.bulkCommand.findUniqueOrThrow({ where: { id } })
  expect(JSON.stringify(row)).not.toContain(payload.value)
  expect((await read(id)).payload).toEqual({ key: 'AuthorizationKey', value: '***' })
  await untilSent(1)
  // The intake of this test keeps what it is given: it was given the secret.
  expect((await sent())[0]?.payload).toEqual(payload)
})

test('a secret that looks like a sealed one is sent as it is', async () => {
  const payload = { key: 'AuthorizationKey', value: 'sealed:v1:abcdefgh' }
  await create({ stations: stations(1), action: 'ChangeConfiguration', payload })

  await untilSent(1)

  expect(await sent()).toMatchObject([{ payload }])
  expect(JSON.stringify(await prisma.bulkCommand.findMany())).not.toContain(payload.value)
})

test('a secret that does not open is told of its stations, and holds up nobody else', async () => {
  const payload = { key: 'AuthorizationKey', value: 'a password of twenty' }
  const { id } = await create({ stations: stations(2), action: 'ChangeConfiguration', payload, pacePerMinute: 30 })
  await untilSent(1)
  const sealed = new Vault('another master secret').seal(payload.value)
  await prisma.bulkCommand.update({ where: { id }, data: { payload: { ...payload, value: sealed } } })

  await create({ stations: stations(1, 9) })

  await untilSent(2)
  const error = { error: expect.stringContaining('does not open') }
  const refused = async () => (await call('GET', `/bulk-commands/${id}/stations?verdict=refused`)).json().items
  await expect.poll(refused, { timeout: 10_000 }).toMatchObject([{ stationId: 'CS-001', ...error }])
})

test('a step whose lock is gone with its connection sends nothing and undoes no stop', async () => {
  const { id } = await create({ stations: stations(2), pacePerMinute: 30 })
  await untilSent(1)
  const query = api.database.query.bind(api.database)
  const dropLock = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()`
  let stopped = 0
  let isOver = false
  const spy = vi.spyOn(api.database, 'query').mockImplementation(async (statement) => {
    // The step has begun, and asks what its stations speak.
    if (stopped === 0 && statement.text.includes('protocol_without_header')) {
      await query({ text: dropLock, values: [] })
      stopped = (await call('POST', `/bulk-commands/${id}/stop`, reason)).statusCode
    } else if (stopped !== 0 && statement.text.includes('due_at <= now()')) isOver = true
    return query(statement)
  })

  // The next one begins once this one has ended.
  await expect.poll(() => isOver, { timeout: 10_000 }).toBe(true)

  spy.mockRestore()
  expect(stopped).toBe(200)
  expect((await read(id)).status).toBe('stopped')
  expect(await sent()).toHaveLength(1)
})

test('a crowd that decides at the same moment holds one connection of Postgres, and everyone is answered', async () => {
  const text = `SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE '%pg_advisory_lock(hashtext(''busbar bulk commands%' AND pid <> pg_backend_pid()`
  let most = 0
  let isOver = false
  const watch = (async () => {
    while (!isOver) {
      const [row] = await api.database.query<{ count: number }>({ text, values: [] })
      most = Math.max(most, row?.count ?? 0)
    }
  })()

  const answers = await Promise.all(
    stations(40).map((id) => call('POST', '/bulk-commands', { ...reset, stations: [id] })),
  )

  isOver = true
  await watch
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(stations(40).map(() => 201))
  expect(most).toBe(1)
})
