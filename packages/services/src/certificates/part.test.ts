import type { LogRecord } from '@busbar/backbone'
import { createAuthority, PkiError, parseCertificate, parseCertificates } from '@busbar/pki'
import { createTestDatabase, newId, type TestDatabase, Vault } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CommandNews, commandNewsType } from '../pipeline/command-news.js'
import { toPart } from '../pipeline/parts.js'
import { type FakePorts, fakePorts, loggedCall, logRecord } from '../pipeline/testing.js'
import { applyRecords, serviceOf } from '../pipeline/testing-batches.js'
import { createBuiltInIssuer } from './built-in-issuer.js'
import type { CertificateIssuer } from './issuer.js'
import { createCertificatesPart } from './part.js'
import { makeRequest } from './testing.js'

// Real Postgres and a real authority; log and channels note down what they are asked.

const operatorName = 'Operator'
const vault = new Vault('a master secret for tests only')
const start = new Date('2026-03-01T10:00:00Z')
const dayMs = 86_400_000

let store: TestDatabase
let now: Date
let ports: FakePorts

beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(async () => {
  now = start
  ports = fakePorts()
  ports.backbone.outbox.insert = () => []
  await query('TRUNCATE station, station_state, station_certificate, certificate_authority, job CASCADE')
  await query("INSERT INTO station (id, folded_id, updated_at) VALUES ('CP-1', 'cp-1', now()), ('CP-2', 'cp-2', now())")
})

const query = <Row = Record<string, unknown>>(text: string, ...values: unknown[]) =>
  store.database.query<Row>({ text, values })
const rows = () => query('SELECT * FROM station_certificate ORDER BY requested_at, id')
const statuses = async () => (await rows()).map(({ status }) => status)
const jobs = () => query<{ kind: string; key: string; due_at: Date }>('SELECT * FROM job ORDER BY due_at')

async function addAuthority(algorithm: 'rsa-2048' | 'ec-p256' = 'ec-p256', validityDays = 365) {
  const notAfter = new Date('2046-01-01T00:00:00Z')
  const notBefore = new Date('2026-01-01T00:00:00Z')
  const named = { name: 'Fleet', organization: operatorName, notAfter }
  const { root, issuing } = await createAuthority({ ...named, notBefore, algorithm, rsaPadding: 'pkcs1' })
  const { certificate, privateKey, rsaPadding } = issuing
  const sealed = vault.seal(privateKey)
  await store.database.prisma.certificateAuthority.create({
    data: {
      id: newId(),
      ...named,
      algorithm,
      rsaPadding,
      root,
      certificate,
      sealedKey: sealed,
      validityDays,
      notAfter,
    },
  })
  return root
}

const builtIn = (): CertificateIssuer =>
  createBuiltInIssuer({ database: store.database, vault, operatorName, clock: () => now })

/** The records as one batch; what waits outside is awaited, and its word comes as the next batch. */
async function apply(issuer: CertificateIssuer, ...records: LogRecord[]) {
  const service = serviceOf(createCertificatesPart({ issuer, operatorName }))
  const all = { ...ports, database: store.database, clock: () => now }
  const applied = await applyRecords(
    service,
    records.map((record) => ({ ...record, appendedAt: now })),
    all,
  )
  await service.after?.(applied, all)
  return applied.decided.map(({ decision }) => decision)
}

/** A station's request up to the word of the authority, taken in. */
async function request(csr: string, issuer: CertificateIssuer = builtIn()) {
  const [answered] = await apply(issuer, ask(csr))
  const told = await askIssuer(issuer)
  return { answer: answered?.answer, told }
}

/** What is due now, and the word of the authority. */
async function askIssuer(issuer: CertificateIssuer) {
  const words = ports.appended.length
  const due = (await jobs()).filter(({ kind, due_at }) => kind === 'issue-certificate' && due_at <= now)
  await apply(issuer, ...due.map(({ kind, key }) => dueRecord(kind, key)))
  if (due.length === 0) return []
  await expect.poll(() => ports.appended.length).toBe(words + due.length)
  const appended = ports.appended.slice(words).map(({ topic, key, value, headers }) => {
    return logRecord({ topic, key, value: Buffer.from(value), headers })
  })
  return apply(issuer, ...appended)
}

function ask(csr: string, station = 'CP-1', place: { connection?: string; sequence?: string } = {}) {
  const headers = { station, protocol: 'ocpp1.6', receivedAt: now.toISOString(), ...place }
  return loggedCall('SignCertificate', { csr }, { key: station, extraHeaders: headers })
}

function dueRecord(kind: string, key: string) {
  const headers = { type: 'due', station: 'CP-1', kind, key }
  return logRecord({ value: Buffer.from(JSON.stringify({ kind, key })), headers })
}

function connected(certificateFingerprint: string) {
  const headers = { type: 'connected', station: 'CP-1', receivedAt: now.toISOString() }
  return logRecord({ value: Buffer.from(JSON.stringify({ certificateFingerprint })), headers })
}

function news(stage: CommandNews['stage'], certificateChain: unknown, status = 'Accepted') {
  const value: Partial<CommandNews> = { stage, sent: { certificateChain }, response: { status } }
  const headers = { type: commandNewsType, station: 'CP-1', action: 'CertificateSigned', receivedAt: now.toISOString() }
  return logRecord({ value: Buffer.from(JSON.stringify(value)), headers })
}

const sent = (decisions: { commands?: { payload: object }[] }[]) =>
  decisions.flatMap(({ commands = [] }) => commands.map(({ payload }) => payload as { certificateChain: string }))

/** A certificate all the way to the station. */
async function accepted(csr = makeRequest()) {
  const [payload] = sent((await request(csr)).told)
  const chain = payload?.certificateChain ?? ''
  await apply(builtIn(), news('accepted', chain))
  return { chain, fingerprint: parseCertificate(chain).fingerprint }
}

test('a request is answered at once; the certificate follows when the authority has signed', async () => {
  await addAuthority()
  await query("UPDATE station SET serial_number = 'SN-4711' WHERE id = 'CP-1'")

  const { answer, told } = await request(makeRequest('/CN=anything/OU=odd'))

  expect(answer).toEqual({ result: { status: 'Accepted' } })
  expect(told[0]?.commands).toMatchObject([{ reaction: 'certificate-signed', action: 'CertificateSigned' }])
  const [leaf, intermediate] = parseCertificates(sent(told)[0]?.certificateChain ?? '')
  expect(leaf?.subject).toMatchObject({ commonName: 'SN-4711', organization: operatorName })
  expect(leaf?.notBefore.getTime()).toBeLessThan(now.getTime())
  expect(intermediate?.isAuthority).toBe(true)
  expect(await rows()).toMatchObject([{ status: 'issued', fingerprint: leaf?.fingerprint, error: null }])
  expect(await jobs()).toEqual([])
})

test('without a registered serial number the id stands for it, never what the request or the station says', async () => {
  await addAuthority()
  await query("INSERT INTO station_state (station_id, serial_number) VALUES ('CP-1', 'the number of another')")

  const { told } = await request(makeRequest('/CN=CP-2/O=Operator'))

  expect(parseCertificate(sent(told)[0]?.certificateChain ?? '').subject.commonName).toBe('CP-1')
})

test('an RSA and an EC authority each sign their own kind', async () => {
  await addAuthority('rsa-2048')
  await addAuthority('ec-p256')

  const kinds = []
  for (const options of [['-newkey', 'rsa:2048'], []]) {
    const { told } = await request(makeRequest('/CN=x', ...options))
    kinds.push(parseCertificates(sent(told)[0]?.certificateChain ?? '').map(({ key }) => key.type))
  }

  expect(kinds).toEqual([
    ['RSA', 'RSA'],
    ['EC', 'EC'],
  ])
})

test.each([
  ['no request at all', () => 'nonsense', /PEM/],
  ['a weak key', () => makeRequest('/CN=x', '-newkey', 'rsa:1024'), /too weak/],
  ['a request with a broken signature', () => breakSignature(makeRequest()), /not signed with its own key/],
])('%s is rejected, and the reason told', async (_, csr, reason) => {
  await addAuthority()

  const [decision] = await apply(builtIn(), ask(csr()))

  expect(decision?.answer).toEqual({ result: { status: 'Rejected' } })
  expect(decision?.events).toEqual([
    { type: 'certificate.request-refused', subject: 'certificate', data: { reason: expect.stringMatching(reason) } },
  ])
  expect(await rows()).toEqual([])
})

function breakSignature(csr: string): string {
  const lines = csr.trim().split('\n')
  const last = Buffer.from(lines.at(-2) ?? '', 'base64')
  last.writeUInt8(last.readUInt8(last.length - 1) ^ 1, last.length - 1)
  return [...lines.slice(0, -2), last.toString('base64'), lines.at(-1)].join('\n')
}

test('where nobody can sign, the station is told at once', async () => {
  const [decision] = await apply(builtIn(), ask(makeRequest()))

  expect(decision?.answer).toEqual({ result: { status: 'Rejected' } })
})

test('the subject counts only where the operator switched that on', async () => {
  await addAuthority()
  const odd = makeRequest('/CN=odd')
  const right = makeRequest(`/CN=CP-1/O=${operatorName}`)
  expect((await request(odd)).answer).toEqual({ result: { status: 'Accepted' } })
  await query(`UPDATE station SET switches = '{"checkCsrSubject": true}' WHERE id = 'CP-1'`)

  const answers = await apply(builtIn(), ask(makeRequest('/CN=odd')), ask(right))

  expect(answers.map(({ answer }) => answer)).toEqual([
    { result: { status: 'Rejected' } },
    { result: { status: 'Accepted' } },
  ])
})

test('the same request again is not signed twice: what was issued is delivered again', async () => {
  await addAuthority()
  const csr = makeRequest()
  await apply(builtIn(), ask(csr), ask(csr))
  const first = sent(await askIssuer(builtIn()))
  const [again] = await apply(builtIn(), ask(csr))

  expect(await rows()).toHaveLength(1)
  expect(first).toHaveLength(1)
  expect(again?.answer).toEqual({ result: { status: 'Accepted' } })
  expect(again?.commands).toMatchObject([{ payload: first[0] }])
})

test('the certificate waits for the answer to the call that asked for it last', async () => {
  await addAuthority()
  const csr = makeRequest()
  await apply(builtIn(), ask(csr, 'CP-1', { connection: 'connection-1', sequence: '7' }))
  await apply(builtIn(), ask(csr, 'CP-1', { connection: 'connection-2', sequence: '3' }))
  const told = await askIssuer(builtIn())
  const [again] = await apply(builtIn(), ask(csr, 'CP-1', { connection: 'connection-2', sequence: '9' }))

  const waits = [...told, ...(again ? [again] : [])].flatMap(({ commands = [] }) => commands)
  expect(waits.map(({ afterSequence }) => afterSequence)).toEqual([
    { connectionId: 'connection-2', sequence: 3 },
    { connectionId: 'connection-2', sequence: 9 },
  ])
})

test('a newer request of a station takes the place of one that is still open', async () => {
  await addAuthority()
  await apply(builtIn(), ask(makeRequest()))
  now = new Date(start.getTime() + 1_000)
  await apply(builtIn(), ask(makeRequest()))

  const told = await askIssuer(builtIn())

  expect(sent(told)).toHaveLength(1)
  expect(await statuses()).toEqual(['superseded', 'issued'])
  expect(await jobs()).toEqual([])
})

test('one that went out and was not answered stays good beside a newer one, until that is used', async () => {
  await addAuthority()
  const [first] = sent((await request(makeRequest())).told)
  now = new Date(start.getTime() + 1_000)
  const second = await accepted()
  expect(await statuses()).toEqual(['failed', 'accepted'])

  // It had been taken all the same.
  await apply(builtIn(), connected(parseCertificate(first?.certificateChain ?? '').fingerprint))
  expect(await statuses()).toEqual(['active', 'accepted'])
  await apply(builtIn(), connected(second.fingerprint))
  expect(await statuses()).toEqual(['superseded', 'active'])
})

test('a station that keeps asking is refused, another one is not', async () => {
  await addAuthority()
  await query(`INSERT INTO station_certificate (id, station_id, status, csr, requested_at)
               SELECT gen_random_uuid(), 'CP-1', 'superseded', 'x', '${start.toISOString()}' FROM generate_series(1, 60)`)
  const csr = makeRequest()

  const answers = await apply(builtIn(), ask(csr), ask(csr, 'CP-2'))

  expect(answers.map(({ answer }) => answer)).toEqual([
    { result: { status: 'Rejected' } },
    { result: { status: 'Accepted' } },
  ])
  now = new Date(start.getTime() + 3_600_001)
  expect((await apply(builtIn(), ask(csr)))[0]?.answer).toEqual({ result: { status: 'Accepted' } })
})

test('an authority that is away is asked again, for a day; then somebody is told', async () => {
  await addAuthority()
  const away: CertificateIssuer = { isReady: async () => true, issue: () => Promise.reject(new Error('no route')) }
  await request(makeRequest(), away)
  expect(await rows()).toMatchObject([{ status: 'requested', error: 'no route' }])

  now = new Date(start.getTime() + 60_000)
  await askIssuer(away)
  expect(await statuses()).toEqual(['requested'])
  now = new Date(start.getTime() + dayMs + 60_001)
  const [job] = await jobs()
  const [decision] = await apply(away, dueRecord(job?.kind ?? '', job?.key ?? ''))

  expect(decision?.events).toMatchObject([{ type: 'certificate.failed', data: { error: 'no route' } }])
  expect(await statuses()).toEqual(['failed'])
  expect(await jobs()).toEqual([])
})

test('an authority that comes back signs what was left', async () => {
  await addAuthority()
  const away: CertificateIssuer = { isReady: async () => true, issue: () => Promise.reject(new Error('no route')) }
  await request(makeRequest(), away)

  now = new Date(start.getTime() + 60_000)
  expect(sent(await askIssuer(builtIn()))).toHaveLength(1)
  expect(await rows()).toMatchObject([{ status: 'issued', error: null }])
})

test('what the authority refuses has failed, and somebody is told', async () => {
  const refusing: CertificateIssuer = {
    isReady: async () => true,
    issue: () => Promise.reject(new PkiError('not ours')),
  }

  const { answer, told } = await request(makeRequest(), refusing)

  expect(answer).toEqual({ result: { status: 'Accepted' } })
  expect(told[0]?.events).toMatchObject([{ type: 'certificate.failed', data: { error: 'not ours' } }])
  expect(await statuses()).toEqual(['failed'])
  expect(await jobs()).toEqual([])
})

test('one question at a time: a job that falls due again waits for the word', async () => {
  await addAuthority()
  let asked = 0
  let resolve: (chain: string) => void = () => {}
  const word = new Promise<string>((settle) => {
    resolve = settle
  })
  const slow: CertificateIssuer = {
    isReady: async () => true,
    issue: () => {
      asked++
      return word
    },
  }
  const part = toPart(createCertificatesPart({ issuer: slow, operatorName }))
  await apply(slow, ask(makeRequest()))
  const [job] = await jobs()
  const decided = [
    { record: { type: 'due', payload: { kind: 'issue-certificate' } }, decision: { jobs: { put: [job] } } },
  ]
  const batch = { decided, dispatches: [] } as never
  for (let times = 0; times < 3; times++) await part.after(batch, { ...ports, database: store.database })
  expect(asked).toBe(1)
  resolve('done')
  await expect.poll(() => ports.appended.length).toBe(1)
})

test('the old certificate stays until the first connection with the new one', async () => {
  await addAuthority()
  const old = await accepted()
  await apply(builtIn(), connected(old.fingerprint))
  now = new Date(start.getTime() + 1_000)
  const next = await accepted()
  expect(await statuses()).toEqual(['active', 'accepted'])

  await apply(builtIn(), connected(old.fingerprint))
  expect(await statuses()).toEqual(['active', 'accepted'])
  const [decision] = await apply(builtIn(), connected(next.fingerprint))

  expect(decision?.events).toMatchObject([{ type: 'certificate.activated', data: { fingerprint: next.fingerprint } }])
  expect(await statuses()).toEqual(['superseded', 'active'])
  expect(await apply(builtIn(), connected(next.fingerprint))).toEqual([{}])
  expect((await jobs()).map(({ kind }) => kind)).toEqual(['renew-certificate'])
})

test.each([
  ['rejected', 'Rejected', 'rejected', 'certificate.rejected'],
  ['failed', '', 'failed', 'certificate.failed'],
  ['unknown', '', 'issued', undefined],
] as const)('a delivery that ends %s (%s) leaves it %s', async (stage, status, expected, event) => {
  await addAuthority()
  const [payload] = sent((await request(makeRequest())).told)

  const [decision] = await apply(builtIn(), news(stage, payload?.certificateChain, status))

  expect(decision?.events?.[0]?.type).toBe(event)
  expect(await statuses()).toEqual([expected])
  // Its late answer counts all the same, unless it refused.
  await apply(builtIn(), news('accepted', payload?.certificateChain))
  expect(await statuses()).toEqual([stage === 'rejected' ? 'rejected' : 'accepted'])
})

test("a certificate of others, and what is none, is nobody's business here", async () => {
  await addAuthority()
  const foreign = (await accepted()).chain
  await query("UPDATE station_certificate SET station_id = 'CP-2'")

  await apply(builtIn(), news('rejected', foreign), news('accepted', 'nonsense'), news('accepted', 7), connected('00'))

  expect(await statuses()).toEqual(['accepted'])
})

test('before a certificate ends: told every day, and the station asked where that is switched on and it is there', async () => {
  await addAuthority('ec-p256', 90)
  const { fingerprint } = await accepted()
  const [job] = await jobs()
  expect(job?.due_at).toEqual(new Date(start.getTime() + 60 * dayMs))
  now = new Date(start.getTime() + 60 * dayMs)
  const due = () => apply(builtIn(), dueRecord('renew-certificate', job?.key ?? ''))

  const [silent] = await due()
  expect(silent?.events).toMatchObject([{ type: 'certificate.expiring', data: { fingerprint } }])
  expect(silent?.commands).toEqual([])
  await query(`UPDATE station SET switches = '{"renewCertificates": true}'`)
  expect((await due())[0]?.commands).toEqual([])
  await query("INSERT INTO station_state (station_id, online) VALUES ('CP-1', true)")
  expect((await due())[0]?.commands).toMatchObject([
    { action: 'ExtendedTriggerMessage', payload: { requestedMessage: 'SignChargePointCertificate' } },
  ])
  expect((await jobs())[0]?.due_at).toEqual(new Date(start.getTime() + 61 * dayMs))

  await accepted()
  expect((await due())[0]).toMatchObject({ jobs: { put: [], remove: [{ key: job?.key }] } })
  expect((await jobs()).map(({ key }) => key)).not.toContain(job?.key)
})
