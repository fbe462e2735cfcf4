import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
const [older, newer, over] = [newId(1_000), newId(2_000), newId(3_000)]
beforeAll(async () => {
  api = await startTestApi()
  const at = new Date('2026-03-01T10:00:00Z')
  const alert = {
    kind: 'offline',
    stationId: 'CS-1',
    subject: 'station',
    severity: 'critical',
    since: at,
    raisedAt: at,
  }
  await api.database.prisma.alert.createMany({
    data: [
      { ...alert, id: older },
      {
        ...alert,
        id: newer,
        kind: 'faulted',
        stationId: 'CS-2',
        subject: 'evse/1/connector/1',
        details: { info: '<b>' },
      },
      { ...alert, id: over, clearedAt: at },
    ],
  })
})
afterAll(() => api.stop())

const list = async (query: string) =>
  (await api.request('viewer', { url: `/v1/alerts?${query}` })).json().items.map(({ id }: { id: string }) => id)
const acknowledge = (id: string, payload: object = {}) =>
  api.request('operator', { method: 'POST', url: `/v1/alerts/${id}/acknowledge`, payload })

test('alerts filter and page, newest first', async () => {
  expect(await list('')).toEqual([over, newer, older])
  expect(await list('open=true')).toEqual([newer, older])
  expect(await list('open=false')).toEqual([over])
  expect(await list('station=CS-1&open=true')).toEqual([older])
  expect(await list('kind=faulted')).toEqual([newer])
  const page = (await api.request('viewer', { url: '/v1/alerts?limit=2' })).json()
  expect(await list(`limit=2&cursor=${page.nextCursor}`)).toEqual([older])
})

test('an acknowledged alert stays open, says who has seen to it, and is acknowledged once', async () => {
  const answer = await acknowledge(newer, { note: 'The technician comes on Monday' })
  expect(answer.json()).toMatchObject({
    clearedAt: null,
    acknowledged: { by: expect.stringMatching(/^operator\//), note: 'The technician comes on Monday' },
  })
  expect((await acknowledge(newer)).statusCode).toBe(409)
  expect((await acknowledge(newId())).statusCode).toBe(404)
  expect(await list('acknowledged=true')).toEqual([newer])
  expect(await list('acknowledged=false&open=true')).toEqual([older])
  expect((await api.request('viewer', { url: `/v1/alerts/${newer}` })).json()).toEqual(answer.json())
  const audit = await api.database.prisma.auditEntry.findMany({ where: { action: 'alert.acknowledge' } })
  expect(audit).toMatchObject([{ targetId: newer, details: { note: 'The technician comes on Monday' } }])
})
