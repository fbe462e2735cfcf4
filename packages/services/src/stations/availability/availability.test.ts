import type { LogRecord } from '@busbar/backbone'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CommandNews } from '../../pipeline/command-news.js'
import { applyRecords, newsRecord } from '../testing.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(async () => {
  await store.database.query({ text: 'TRUNCATE desired_availability', values: [] })
})

const apply = (...records: LogRecord[]) => applyRecords(store.database, records)
const id = (number: number) => `00000000-0000-7000-8000-00000000000${number}`
const news = (number: number, stage: CommandNews['stage'], connectorId: number, type: string, response = {}) =>
  newsRecord({ action: 'ChangeAvailability', commandId: id(number), stage, sent: { connectorId, type }, response })
const rows = () =>
  store.database.query({
    text: `SELECT evse_number AS evse, connector_number AS connector, operative, outcome, answered_at IS NOT NULL AS answered
           FROM desired_availability ORDER BY 1, 2`,
    values: [],
  })

test.each([
  ['Accepted', 'accepted', 'accepted'],
  ['Scheduled', 'accepted', 'scheduled'],
  ['Rejected', 'rejected', 'rejected'],
] as const)('what was asked for stands there from the request on, answered %s', async (status, stage, outcome) => {
  await apply(news(1, 'requested', 2, 'Inoperative'))
  expect(await rows()).toEqual([{ evse: 2, connector: 1, operative: false, outcome: 'requested', answered: false }])

  await apply(news(1, stage, 2, 'Inoperative', { status }))
  expect(await rows()).toEqual([{ evse: 2, connector: 1, operative: false, outcome, answered: true }])
})

test('connector 0 is the station', async () => {
  await apply(news(1, 'requested', 0, 'Inoperative'), news(1, 'failed', 0, 'Inoperative'))

  expect(await rows()).toMatchObject([{ evse: 0, connector: 0, outcome: 'failed' }])
})

test('an answer that comes late says nothing about what was asked since', async () => {
  await apply(news(1, 'requested', 1, 'Inoperative'), news(1, 'unknown', 1, 'Inoperative'))
  await apply(news(2, 'requested', 1, 'Operative'), news(2, 'accepted', 1, 'Operative', { status: 'Accepted' }))
  await apply(news(1, 'rejected', 1, 'Inoperative', { status: 'Rejected' }))

  expect(await rows()).toMatchObject([{ operative: true, outcome: 'accepted' }])
})
