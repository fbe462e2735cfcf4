import { type AddressInfo, connect } from 'node:net'
import { openDatabase } from '@busbar/store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiKey, createFirstApiKey } from './api-keys.js'
import { toProblem } from './problems.js'
import { startTestApi, type TestApi } from './testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ config: { maxBodyBytes: 2_000 } })
})
afterAll(() => api.stop())

describe('problem details', () => {
  test('an endpoint that does not exist', async () => {
    const response = await api.request('admin', { url: '/v1/nothing' })

    expect(response.statusCode).toBe(404)
    expect(response.headers['content-type']).toContain('application/problem+json')
    expect(response.json()).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'There is no such endpoint.',
    })
  })

  test('a wrong body names every wrong value by its pointer', async () => {
    const payload = { id: 'a/b', securityProfile: 9, heartbeatIntervalSeconds: 'often' }

    const response = await api.request('admin', { method: 'POST', url: '/v1/stations', payload })

    expect(response.statusCode).toBe(400)
    expect(response.json().errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/id',
      '/heartbeatIntervalSeconds',
      '/securityProfile',
    ])
  })

  test('a wrong query names the parameter', async () => {
    const response = await api.request('admin', { url: '/v1/stations?limit=201' })

    expect(response.statusCode).toBe(400)
    expect(response.json().errors[0]).toMatchObject({ parameter: 'limit' })
  })

  test.each([
    ['broken JSON', '{"id":', 400],
    ['a prototype in disguise', '{"__proto__":{"role":"admin"},"id":"x"}', 400],
    ['a body beyond the limit', JSON.stringify({ id: 'x'.repeat(3_000) }), 413],
  ])('%s', async (_, payload, status) => {
    const headers = { 'content-type': 'application/json' }
    const response = await api.request('admin', { method: 'POST', url: '/v1/sites', payload, headers })

    expect(response.statusCode).toBe(status)
    expect(response.json()).toMatchObject({ status })
  })

  test('a cursor of ours it is not', async () => {
    const response = await api.request('admin', { url: '/v1/tokens?cursor=WyJ4Il0' })

    expect(response.statusCode).toBe(400)
    expect(response.json().errors[0]).toMatchObject({ parameter: 'cursor' })
  })

  test('a NUL character in a search', async () => {
    for (const url of ['/v1/stations?q=%00', '/v1/tokens?value=%00', '/v1/journal?action=%00']) {
      const response = await api.request('admin', { url })

      expect(response.statusCode, url).toBe(400)
    }
  })

  test('a time that Postgres cannot hold', async () => {
    for (const at of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00%2B14:00', '9999-12-31T23:59:59-14:00']) {
      const response = await api.request('admin', { url: `/v1/transactions/export?from=${at}` })

      expect(response.statusCode, at).toBe(400)
      expect(response.json().errors[0]).toMatchObject({ parameter: 'from' })
    }
  })

  test('an undecodable path', async () => {
    const response = await api.request('admin', { url: '/v1/stations/%zz' })

    expect(response.statusCode).toBe(400)
    expect(response.headers['content-type']).toContain('application/problem+json')
  })

  test('a database that is away answers 503 and says when to come back', async () => {
    const away = openDatabase({ url: 'postgres://postgres@127.0.0.1:1/none', poolSize: 1, statementTimeoutMs: 1_000 })
    const cut = await startTestApi({ ports: { database: away } })

    const response = await cut.request('viewer', { url: '/v1/stations' })

    expect(response.statusCode).toBe(503)
    expect(response.headers['retry-after']).toBe('5')
    expect((await cut.app.inject('/readyz')).statusCode).toBe(503)
    expect((await cut.app.inject('/healthz')).statusCode).toBe(200)
    expect(toProblem(await away.prisma.site.findMany().catch((cause: unknown) => cause)).statusCode).toBe(503)
    await cut.stop()
    await away.close()
  })

  test('a search that takes too long answers 503', async () => {
    const url = new URL(api.url)
    const hasty = openDatabase({ url: url.href, poolSize: 1, statementTimeoutMs: 100 })

    const cause = await hasty.prisma.$queryRaw`SELECT pg_sleep(5)`.catch((each: unknown) => each)

    expect(toProblem(cause).statusCode).toBe(503)
    await hasty.close()
  })

  test('a fault of ours is not told to the caller', async () => {
    const fail = () => {
      throw new Error('secret detail')
    }
    const broken = await startTestApi({ ports: { commands: { prepare: fail, record: fail } } })
    await broken.request('admin', {
      method: 'POST',
      url: '/v1/stations',
      payload: { id: 'CS-1', protocols: ['ocpp1.6'] },
    })

    const payload = { action: 'Reset', payload: {} }
    const response = await broken.request('admin', { method: 'POST', url: '/v1/stations/CS-1/commands', payload })

    expect(response.statusCode).toBe(500)
    expect(response.body).not.toContain('secret detail')
    await broken.stop()
  })
})

test('bytes that are no HTTP', async () => {
  const raw = await startTestApi()
  await raw.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = raw.app.server.address() as AddressInfo
  const talk = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(text))
      socket.on('data', (chunk) => {
        answer += chunk
      })
      socket.on('close', () => resolve(answer)).on('error', reject)
    })

  expect(await talk('no http at all\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*problem\+json[\s\S]*"status":400/)
  expect(await talk(`GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
  await raw.stop()
})

describe('limits', () => {
  test('a key has so many requests a minute, another key its own', async () => {
    const limited = await startTestApi({ config: { requestsPerMinutePerKey: 2 } })
    const statuses = []
    for (let count = 0; count < 3; count += 1) {
      statuses.push((await limited.request('viewer', { url: '/v1/sites' })).statusCode)
    }
    const refused = await limited.request('viewer', { url: '/v1/sites' })

    expect(statuses).toEqual([200, 200, 429])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.json()).toMatchObject({ status: 429, title: 'Too Many Requests' })
    expect((await limited.request('operator', { url: '/v1/sites' })).statusCode).toBe(200)
    await limited.stop()
  })

  test('a tool that hurries for a moment is slowed and not refused', async () => {
    const limited = await startTestApi({ config: { requestsPerMinutePerKey: 600 } })
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: 15 }, () => limited.request('viewer', { url: '/v1/sites' })))

    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(15).fill(200))
    // Ten at once, then one every 101.5 ms.
    expect(performance.now() - startedAt).toBeGreaterThan(500)
    await limited.stop()
  })

  test('an address that tries keys is shut out before the database is asked again', async () => {
    const guarded = await startTestApi({ config: { failuresPerMinutePerAddress: 2 } })
    const guess = (key: string) => guarded.app.inject({ url: '/v1/sites', headers: { authorization: `Bearer ${key}` } })
    const statuses = []
    for (const key of ['a', 'b', 'c', guarded.keys.admin]) statuses.push((await guess(key)).statusCode)

    expect(statuses).toEqual([401, 401, 429, 429])
    await guarded.stop()
  })

  test('a program that goes on with a revoked key shuts out nobody at its address', async () => {
    const guarded = await startTestApi({ config: { failuresPerMinutePerAddress: 2 } })
    const use = (key: string) => guarded.app.inject({ url: '/v1/sites', headers: { authorization: `Bearer ${key}` } })
    const statuses = []
    for (const key of ['revoked', 'revoked', 'revoked', guarded.keys.admin]) statuses.push((await use(key)).statusCode)

    expect(statuses).toEqual([401, 401, 401, 200])
    await guarded.stop()
  })
})

describe('API keys', () => {
  test('a created key works, is listed without itself, and no longer works once revoked', async () => {
    const created = await api.request('admin', {
      method: 'POST',
      url: '/v1/api-keys',
      payload: { name: 'billing', role: 'viewer' },
    })
    const { id, key } = created.json()
    const use = () => api.app.inject({ url: '/v1/sites', headers: { authorization: `Bearer ${key}` } })

    expect(created.statusCode).toBe(201)
    expect((await use()).statusCode).toBe(200)
    const list = await api.request('admin', { url: '/v1/api-keys' })
    expect(list.json().items).toContainEqual(expect.objectContaining({ id, name: 'billing', revokedAt: null }))
    expect(list.body).not.toContain(key)
    expect((await api.request('admin', { method: 'DELETE', url: `/v1/api-keys/${id}` })).statusCode).toBe(204)
    expect((await use()).statusCode).toBe(401)
    expect((await api.request('admin', { method: 'DELETE', url: `/v1/api-keys/${id}` })).statusCode).toBe(404)
  })

  test('an expired key is refused', async () => {
    const { key } = await createApiKey(api.database, { name: 'old', role: 'admin', expiresAt: new Date(0) })

    const response = await api.app.inject({ url: '/v1/sites', headers: { authorization: `Bearer ${key}` } })

    expect(response.statusCode).toBe(401)
  })

  test('the first key is made once, by concurrent starters too', async () => {
    const fresh = await startTestApi()
    await fresh.database.query({ text: 'TRUNCATE api_key', values: [] })

    const made = await Promise.all([1, 2, 3].map(() => createFirstApiKey(fresh.database)))

    expect(made.filter((each) => each !== null)).toHaveLength(1)
    expect(await createFirstApiKey(fresh.database)).toBeNull()
    expect(await fresh.database.prisma.apiKey.count()).toBe(1)
    await fresh.stop()
  })

  test('the database holds no key', async () => {
    const rows = await api.database.query({ text: 'SELECT api_key::text AS row FROM api_key', values: [] })

    expect(JSON.stringify(rows)).not.toContain(api.keys.admin)
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(api.keys.admin).toString('hex'))
  })
})

describe('without a key', () => {
  test('health, readiness and metrics answer', async () => {
    expect((await api.app.inject('/healthz')).json()).toEqual({ status: 'ok' })
    expect((await api.app.inject('/readyz')).json()).toEqual({ ready: true, checks: { database: true } })
    expect((await api.app.inject('/metrics')).body).toMatch(
      /^busbar_api_request_duration_seconds_count\{method="GET",route="\/readyz",status="200"\} 1$/m,
    )
  })

  test('the documentation loads only what its content security policy allows', async () => {
    const page = await api.app.inject('/docs')
    const script = await api.app.inject('/docs/static/swagger-ui-bundle.js')

    expect(page.statusCode).toBe(200)
    expect(page.headers['content-security-policy']).toContain("script-src 'self'")
    expect(page.headers['content-security-policy']).not.toContain('upgrade-insecure-requests')
    expect(page.body).not.toMatch(/<script(?![^>]*src=)[^>]*>/)
    expect(script.statusCode).toBe(200)
  })

  test('an answer of the API runs nothing in a browser', async () => {
    const { headers } = await api.request('viewer', { url: '/v1/sites' })

    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['x-content-type-options']).toBe('nosniff')
  })
})
