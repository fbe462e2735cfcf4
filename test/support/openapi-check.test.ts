import { expect, test } from 'vitest'
import { OpenApiCheck } from './openapi-check.js'

const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const site = {
  type: 'object',
  required: ['id', 'at'],
  additionalProperties: false,
  properties: { id: { type: 'string', format: 'uuid' }, at: { type: 'string', format: 'date-time' } },
}
const check = new OpenApiCheck({
  components: { schemas: { Site: site } },
  paths: {
    '/v1/sites/{id}': { get: { responses: { 200: json({ $ref: '#/components/schemas/Site' }), 204: {} } } },
    '/v1/sites/best': { get: { responses: { 200: json({ const: 'best' }) } } },
  },
})
const faults = (path: string, status: number, body: unknown, contentType = 'application/json; charset=utf-8') =>
  check.findFaults('GET', path, { status, contentType, body: body === '' ? '' : JSON.stringify(body) })
const good = { id: '00000000-0000-7000-8000-000000000000', at: '2026-01-01T00:00:00.000Z' }

test('an answer as described has no faults, and the most exact path counts', () => {
  expect(faults('/v1/sites/1', 200, good)).toEqual([])
  expect(faults('/v1/sites/1', 204, '')).toEqual([])
  expect(faults('/v1/sites/best', 200, 'best')).toEqual([])
})

test.each([
  ['a status', faults('/v1/sites/1', 418, good)],
  ['a content', faults('/v1/sites/1', 204, good)],
  ['a kind of content', faults('/v1/sites/1', 200, good, 'text/plain')],
  ['a field', faults('/v1/sites/1', 200, { ...good, secret: 1 })],
  ['a lack', faults('/v1/sites/1', 200, { id: good.id })],
  ['an id', faults('/v1/sites/1', 200, { ...good, id: '1' })],
  ['a time', faults('/v1/sites/1', 200, { ...good, at: 'yesterday' })],
  ['an endpoint', faults('/v1/cities', 200, good)],
])('%s that is not described is a fault', (_, found) => {
  expect(found).toHaveLength(1)
})
