import type { InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { access, type Role, roles } from './access.js'
import { startTestApi, type TestApi } from './testing.js'

const endpoints = Object.entries(access).map(([endpoint, allowed]) => {
  const [method = '', url = ''] = endpoint.split(' ')
  return { endpoint, allowed, method: method as NonNullable<InjectOptions['method']>, url }
})
const matrix = endpoints.flatMap((each) => roles.map((role) => ({ ...each, role })))

interface OpenApi {
  openapi: string
  components: { schemas: object }
  paths: Record<string, Record<string, Operation>>
}
interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  security?: unknown
  'x-roles'?: Role[]
  responses: Record<string, { content?: Record<string, unknown> }>
}

let api: TestApi
let document: OpenApi

beforeAll(async () => {
  api = await startTestApi({ config: { failuresPerMinutePerAddress: 1_000 } })
  document = (await api.app.inject('/docs/json')).json()
})
afterAll(() => api.stop())

/** Bodies and most ids are wrong: what counts is whether the door opens, not what stands behind it. */
const knock = (method: InjectOptions['method'], url: string, key?: string) =>
  api.app.inject({
    method: method ?? 'GET',
    url: url.replace(':id', 'no-such-thing'),
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      'last-event-id': 'x',
      'content-type': 'application/json',
    },
    ...(method === 'GET' || method === 'DELETE' ? {} : { payload: '[]' }),
  })

test.each(endpoints)('$endpoint answers 401 without a key', async ({ method, url }) => {
  const response = await knock(method, url)

  expect(response.statusCode).toBe(401)
  expect(response.headers['www-authenticate']).toContain('Bearer')
  expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8')
})

// A stream that opens does not end, so inject would wait for it.
test.each(matrix.filter(({ url }) => url !== '/v1/events'))('$endpoint with role $role', async (each) => {
  const { statusCode } = await knock(each.method, each.url, api.keys[each.role])

  if (each.allowed.includes(each.role)) expect([200, 400, 404]).toContain(statusCode)
  else expect(statusCode).toBe(403)
})

test('a viewer changes nothing', () => {
  const changing = endpoints.filter(({ method }) => method !== 'GET')

  expect(changing.filter(({ allowed }) => allowed.includes('viewer') || allowed.includes('auditor'))).toEqual([])
})

describe('the OpenAPI document', () => {
  test('is of version 3.1 and names the endpoints of the access table, each once', () => {
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    )

    expect(document.openapi).toBe('3.1.0')
    expect(described.filter((each) => each.includes(' /v1/')).sort()).toEqual(Object.keys(access).sort())
  })

  test('names each schema once, and no bounds that nobody set', () => {
    const text = JSON.stringify(document)

    for (const name of Object.keys(document.components.schemas)) expect(text).toContain(`#/components/schemas/${name}"`)
    expect(text).not.toContain(String(Number.MAX_SAFE_INTEGER))
  })

  test.each(endpoints)('describes $endpoint: summary, roles, key, answer and problems', ({ method, url, allowed }) => {
    const operation = document.paths[url.replace(/:(\w+)/g, '{$1}')]?.[String(method).toLowerCase()]

    expect(operation?.summary).toMatch(/^[A-Z].{3,80}$/)
    expect(operation?.tags).toHaveLength(1)
    expect(operation?.['x-roles']).toEqual(allowed)
    expect(operation?.description).toContain(`Roles: ${allowed.join(', ')}.`)
    expect(operation?.security).toEqual([{ apiKey: [] }])
    const responses = operation?.responses ?? {}
    expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true)
    for (const status of [
      '400',
      '401',
      '403',
      '429',
      '500',
      '503',
      ...(url.includes(':id') && method !== 'GET' ? ['404'] : []),
    ]) {
      expect(responses[status]?.content, status).toEqual({
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
      })
    }
  })
})
