import type { AddressInfo } from 'node:net'
import { newId } from '@busbar/store'
import { afterAll, describe, expect, test } from 'vitest'
import { access, type Role, roles } from './access.js'
import { startTestApi } from './testing.js'

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema: { format?: string; pattern?: string }
}
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
  parameters?: Parameter[]
  requestBody?: object
  responses: Record<string, { content?: Record<string, unknown> }>
}

// The matrix is made from the document, so an endpoint that is new is in it without being named here.
const api = await startTestApi({ config: { failuresPerMinutePerAddress: 100_000, requestsPerMinutePerKey: 100_000 } })
const document: OpenApi = (await api.app.inject('/docs/json')).json()
await api.app.listen({ port: 0, host: '127.0.0.1' })
const { port } = api.app.server.address() as AddressInfo
afterAll(() => api.stop())

const endpoints = Object.entries(document.paths)
  .filter(([path]) => path.startsWith('/v1/'))
  .flatMap(([path, operations]) =>
    Object.entries(operations).map(([name, operation]) => {
      const method = name.toUpperCase()
      return { endpoint: `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`, method, path, operation }
    }),
  )
const callers = [...roles, 'no key', 'a wrong key'] as const
const matrix = endpoints.flatMap((each) => callers.map((caller) => ({ ...each, caller })))

/** Who may call what, by hand: the access table is under test. Any other GET is for all, any other change for operators. */
const exceptions: [allowed: Role[], endpoints: string[]][] = [
  [
    ['admin'],
    [
      'GET /v1/api-keys',
      'POST /v1/api-keys',
      'DELETE /v1/api-keys/:id',
      'POST /v1/certificate-authorities',
      'POST /v1/trust-anchors',
      'DELETE /v1/trust-anchors/:id',
      'POST /v1/revoked-certificates',
      'DELETE /v1/revoked-certificates/:fingerprint',
      'DELETE /v1/bulk-kill-switch',
      'POST /v1/webhooks',
      'PATCH /v1/webhooks/:id',
      'DELETE /v1/webhooks/:id',
      'POST /v1/webhooks/:id/secret',
    ],
  ],
  [
    ['auditor', 'admin'],
    ['GET /v1/audit', 'GET /v1/audit/head', 'GET /v1/audit/verify'],
  ],
  [
    ['operator', 'admin'],
    [
      'GET /v1/files/:id/content',
      'GET /v1/webhooks',
      'GET /v1/webhooks/:id',
      'GET /v1/webhooks/:id/deliveries',
      'GET /v1/webhooks/:id/deliveries/:deliveryId',
    ],
  ],
]
const exceptional = new Map(exceptions.flatMap(([allowed, names]) => names.map((name) => [name, allowed])))

function mayCall(caller: (typeof callers)[number], endpoint: string): boolean {
  const usual: readonly Role[] = endpoint.startsWith('GET ') ? roles : ['operator', 'admin']
  return (exceptional.get(endpoint) ?? usual).some((role) => role === caller)
}

const anything = 'nothing'

/** Ids are of nothing and bodies make no sense: what counts is which door opens, and that nothing is behind it. */
async function knock({ method, path, operation }: (typeof endpoints)[number], caller: (typeof callers)[number]) {
  const addressed = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const { schema } = operation.parameters?.find((each) => each.name === name) ?? {}
    return schema?.format === 'uuid' ? newId() : anything
  })
  const key = caller === 'no key' ? null : caller === 'a wrong key' ? 'busbar_wrong' : api.keys[caller]
  const response = await fetch(`http://127.0.0.1:${port}${addressed}`, {
    method,
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(operation.requestBody && { 'content-type': 'application/json' }),
    },
    ...(operation.requestBody && { body: '[]' }),
  })
  // A stream has no end.
  await response.body?.cancel()
  return response
}

/**
 * Past the door: a list is shown (200), a record is not there (404), what was sent makes no sense (400, 415), or a
 * required part of the address is missing (400).
 */
function statusesInside({ method, path, operation }: (typeof endpoints)[number]): number[] {
  if (operation.requestBody) return [400, 415]
  const isWrong = ({ in: place, required, schema: { format, pattern } }: Parameter) =>
    place === 'path' ? format !== 'uuid' && !RegExp(pattern ?? '').test(anything) : required
  if (operation.parameters?.some(isWrong)) return [400]
  if (!path.includes('{')) return method === 'GET' ? [200] : [202, 204, 400, 415]
  return method === 'GET' ? [200, 404] : [404]
}

test.each(matrix)('$endpoint, $caller', async (each) => {
  const { endpoint, caller } = each
  const { status, headers } = await knock(each, caller)

  if (caller === 'no key' || caller === 'a wrong key') {
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toContain('Bearer')
  } else if (mayCall(caller, endpoint)) expect(statusesInside(each)).toContain(status)
  else expect(status).toBe(403)
  if (status >= 400) expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
})

test('who was turned away for want of a role stands in the audit log, once per endpoint', async () => {
  const turnedAway = matrix.flatMap(({ endpoint, caller }) =>
    caller === 'no key' || caller === 'a wrong key' || mayCall(caller, endpoint) ? [] : [`${caller} ${endpoint}`],
  )
  for (const each of endpoints) await knock(each, 'viewer')

  const entries = await api.database.prisma.auditEntry.findMany({ where: { action: 'access.deny' } })
  const told = entries.map(({ actor, targetId }) => `${actor.split('/')[0]} ${targetId}`)
  expect(told.toSorted()).toEqual(turnedAway.toSorted())
})

test('the matrix has every endpoint of the access table, for every role', () => {
  expect(matrix).toHaveLength(Object.keys(access).length * 6)
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

  test('promises no body where none is sent', () => {
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
    const empty = operations.flatMap(({ responses }) => responses['204'] ?? [])
    expect(empty.length).toBeGreaterThan(5)
    for (const response of empty) expect(response).not.toHaveProperty('content')
  })

  test.each(endpoints)('describes $endpoint: summary, roles, key, answer and problems', (each) => {
    const { endpoint, method, path, operation } = each
    const allowed = access[endpoint] ?? []

    expect(operation.summary).toMatch(/^[A-Z].{3,80}$/)
    expect(operation.tags).toHaveLength(1)
    expect(operation['x-roles']).toEqual(allowed)
    expect(operation.description).toContain(`Roles: ${allowed.join(', ')}.`)
    expect(operation.security).toEqual([{ apiKey: [] }])
    const responses = operation.responses
    expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true)
    for (const status of [
      '400',
      '401',
      '403',
      '429',
      '500',
      '503',
      ...(path.includes('{id}') && method !== 'GET' ? ['404'] : []),
    ]) {
      expect(responses[status]?.content, status).toEqual({
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
      })
    }
  })
})
