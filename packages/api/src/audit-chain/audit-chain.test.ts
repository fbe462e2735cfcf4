import { createTestDatabase, sql, type TestDatabase, Vault } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { auditStatement } from '../audit.js'
import { formatAnchor, parseAnchor } from './chain.js'
import { sealEntries, startAuditSealing } from './seal.js'
import { readStanding } from './standing.js'
import { verifyAudit } from './verify.js'

const vault = new Vault('a secret for the chain of tests')
let store: TestDatabase
let ports: { database: TestDatabase['database']; vault: Vault }
beforeAll(async () => {
  store = await createTestDatabase()
  ports = { database: store.database, vault }
})
beforeEach(() => run('TRUNCATE audit_entry, audit_chain RESTART IDENTITY'))
afterAll(() => store.drop())

const run = (text: string, ...values: unknown[]) => store.database.query({ text, values })
const draft = (targetId: string) =>
  auditStatement({
    actor: 'Ann/1',
    action: 'site.update',
    targetType: 'site',
    targetId,
    details: { name: 'Ä', n: 1.5 },
  })

async function write(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await store.database.commit([draft(`site-${index}`)])
}

async function sealAll(): Promise<void> {
  while ((await sealEntries(ports)).more);
}

const findHead = async () => (await readStanding(ports)).head

/** What the API runs. */
function startSealing() {
  const metrics = new Registry()
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) })
  const sealing = startAuditSealing({ ...ports, log, metrics })
  return {
    text: () => lines.join(''),
    metric: async () => (await metrics.getSingleMetric('busbar_audit_broken')?.get())?.values[0]?.value,
    stop: () => sealing.stop(),
  }
}

test('sealed entries hold, and the head says how many there are', async () => {
  await write(5)
  await sealAll()
  await write(2)

  expect(await verifyAudit(ports)).toMatchObject({ broken: null, unsealed: 2, head: { position: 5n } })
  expect(await findHead()).toEqual((await verifyAudit(ports)).head)
})

describe('what was done to a sealed entry shows, and which entry it was', () => {
  beforeEach(async () => {
    await write(6)
    await sealAll()
  })
  const third = "(SELECT id FROM audit_entry WHERE target_id = 'site-2')"

  test.each([
    ['actor', `actor = 'Bob/2'`],
    ['action', `action = 'site.create'`],
    ['kind of target', `target_type = 'station'`],
    ['target', `target_id = 'site-9'`],
    ['time', `at = at + interval '1 millisecond'`],
    ['details', `details = details || '{"n": 1.50}'`],
    ['id', 'id = id + 1000'],
    ['hash', `hash = sha256('x')`],
  ])('%s changed', async (_, change) => {
    const [row] = (await run(`UPDATE audit_entry SET ${change} WHERE id = ${third} RETURNING id`)) as { id: bigint }[]

    expect((await verifyAudit(ports)).broken).toEqual({ position: 3n, entryId: row?.id, kind: 'changed' })
  })

  test('removed', async () => {
    await run(`DELETE FROM audit_entry WHERE id = ${third}`)

    expect((await verifyAudit(ports)).broken).toEqual({ position: 3n, entryId: null, kind: 'missing' })
  })

  test('removed, and the others moved up', async () => {
    await run(`DELETE FROM audit_entry WHERE id = ${third}`)
    for (const position of [4, 5, 6]) {
      await run('UPDATE audit_entry SET position = $1::bigint - 1 WHERE position = $1', position)
    }

    expect((await verifyAudit(ports)).broken).toMatchObject({ position: 3n, kind: 'changed' })
  })

  test('two exchanged', async () => {
    await run('UPDATE audit_entry SET position = 100 WHERE position = 2')
    await run('UPDATE audit_entry SET position = 2 WHERE position = 3')
    await run('UPDATE audit_entry SET position = 3 WHERE position = 100')

    expect((await verifyAudit(ports)).broken).toMatchObject({ position: 2n, kind: 'changed' })
  })

  test('the whole chain made anew without the master secret', async () => {
    await run(`DELETE FROM audit_entry WHERE id = ${third}`)
    await run('UPDATE audit_entry SET position = NULL, hash = NULL')
    const other = { ...ports, vault: new Vault('what an intruder guessed') }
    while ((await sealEntries(other)).more);

    expect((await verifyAudit(ports)).broken).toMatchObject({ position: 1n, kind: 'changed' })
  })

  test.each([
    ['the third changed, and sealed anew with those behind it', 3],
    ['the last one changed, and sealed anew', 6],
  ])('%s, by Busbar itself', async (_, position) => {
    await run("UPDATE audit_entry SET actor = 'Bob/2' WHERE position = $1", position)
    await run('UPDATE audit_entry SET position = NULL, hash = NULL WHERE position >= $1', position)
    const broken = { position: BigInt(position), entryId: null, kind: 'missing' }
    expect((await verifyAudit(ports)).broken).toEqual(broken)

    await sealAll()
    await write(3)
    await sealAll()

    expect(await verifyAudit(ports)).toMatchObject({ broken, unsealed: 0 })
    expect(await readStanding(ports)).toMatchObject({ brokenAt: BigInt(position), isNoted: true })
  })

  test('the last ones removed, whatever is written behind them', async () => {
    const anchor = await findHead()
    await run('DELETE FROM audit_entry WHERE position > 4')
    const broken = { position: 5n, entryId: null, kind: 'missing' }
    expect((await verifyAudit(ports)).broken).toEqual(broken)

    await write(3)
    await sealAll()

    expect((await verifyAudit(ports)).broken).toEqual(broken)
    expect((await verifyAudit(ports, anchor)).broken).toEqual(broken)
  })

  test.each([
    ['removed', 'DELETE FROM audit_chain'],
    [
      'moved back to an entry before',
      'UPDATE audit_chain c SET (position, hash) = (SELECT position, hash FROM audit_entry WHERE position = 5)',
    ],
    ['freed of what was found', 'UPDATE audit_chain SET broken_at = NULL'],
  ])('the note of the head %s', async (_, change) => {
    await run('UPDATE audit_entry SET position = NULL, hash = NULL WHERE position = 6')
    for (const _time of [1, 2]) {
      await run(change)
      await sealAll()
    }
    await write(1)
    await sealAll()

    expect((await verifyAudit(ports)).broken).not.toBeNull()
    expect((await readStanding(ports)).brokenAt).not.toBeNull()
  })

  test('only the note removed: the chain holds, but who can say that it went no further', async () => {
    await run('DELETE FROM audit_chain')
    await write(1)
    await sealAll()

    expect(await verifyAudit(ports)).toMatchObject({
      head: { position: 7n },
      broken: { position: 6n, entryId: null, kind: 'not-as-noted' },
    })
  })

  test('the whole chain made anew with its note, while nobody ran: against an anchor noted elsewhere, and only there', async () => {
    const anchor = await findHead()
    await run(`UPDATE audit_entry SET actor = 'Bob/2' WHERE id = ${third}`)
    await run('UPDATE audit_entry SET position = NULL, hash = NULL')
    await run('DELETE FROM audit_chain')
    await sealAll()

    expect((await verifyAudit(ports)).broken).toBeNull()
    expect((await verifyAudit(ports, anchor)).broken).toMatchObject({ position: 6n, kind: 'not-as-noted' })
    expect(parseAnchor(formatAnchor(anchor))).toEqual(anchor)
  })

  test.each([
    ['the last ones removed', 'DELETE FROM audit_entry WHERE position > 4'],
    ['an entry put behind the last', "UPDATE audit_entry SET position = 100, hash = sha256('x') WHERE position = 2"],
    [
      'all of it made anew with its note',
      'UPDATE audit_entry SET position = NULL, hash = NULL; DELETE FROM audit_chain',
    ],
  ])('%s while the system runs: in its log and its metrics, the next process shows it too', async (_, change) => {
    const first = startSealing()
    await vi.waitFor(() => expect(first.text()).toContain('"position":"6"'))
    expect(await first.metric()).toBe(0)

    for (const text of change.split('; ')) await run(text)
    await vi.waitFor(async () => expect(await first.metric()).toBe(1), 5_000)
    expect(first.text()).toContain('was cut or changed')
    await write(2)
    await first.stop()
    await sealAll()

    const next = startSealing()
    await vi.waitFor(async () => expect(await next.metric()).toBe(1), 5_000)
    await next.stop()
    expect((await verifyAudit(ports)).broken).not.toBeNull()
  })
})

test('many writers and three sealers at once: every entry is in the chain once, and it holds', async () => {
  const writers = Array.from({ length: 8 }, (_, writer) => async () => {
    for (let count = 0; count < 25; count += 1) await store.database.commit([draft(`w${writer}-${count}`)])
  })
  let writing = true
  const sealers = [1, 2, 3].map(async () => {
    while (writing) await sealEntries(ports)
  })
  await Promise.all(writers.map((writer) => writer()))
  writing = false
  await Promise.all(sealers)
  await sealAll()

  expect(await verifyAudit(ports)).toMatchObject({ broken: null, unsealed: 0, head: { position: 200n } })
})

test('an entry whose commit takes long waits for nobody and holds up nobody: it is sealed behind later ones', async () => {
  await store.database.session(async (session) => {
    await session.query({ text: 'BEGIN', values: [] })
    await session.query(draft('slow'))
    await write(3)
    await sealAll()
    expect(await verifyAudit(ports)).toMatchObject({ head: { position: 3n }, unsealed: 0 })
    await session.query({ text: 'COMMIT', values: [] })
  })
  await sealAll()

  const [last] = await store.database.query(sql('SELECT target_id FROM audit_entry WHERE position = 4')())
  expect(last).toEqual({ target_id: 'slow' })
  expect((await verifyAudit(ports)).broken).toBeNull()
})
