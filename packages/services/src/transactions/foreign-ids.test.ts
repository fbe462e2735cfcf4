import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext } from '../pipeline/testing.js'
import { project, storedRows } from './projection.js'
import { createTransactionsService } from './service.js'
import { acceptedToken, meterValues16, newId, propertyRuns, start16, stop16 } from './testing.js'

/** 10,000 unless told otherwise. */
const tries = propertyRuns * 50
const batchSize = 500

const hookTimeoutMs = 60_000
let db: TestDatabase
const service = createTransactionsService()

beforeAll(async () => {
  db = await createTestDatabase()
  const { id, foldedValue, value, type, status } = acceptedToken
  await db.database.prisma.token.create({ data: { id, value, foldedValue, type, status } })
}, hookTimeoutMs)
afterAll(() => db.drop(), hookTimeoutMs)

/** One turn of the pipeline: load, decide, save. */
async function batch(records: readonly InboundRecord[]) {
  const state = await service.load(db.database, records, new Date())
  const decisions = records.map((record) => service.decide(record, state, decisionContext(record, { newId })))
  await db.database.commit(service.save(state))
  return decisions
}

test(`T13: in ${tries} tries a station that names the transactions of another changes nothing of them`, {
  timeout: 300_000,
}, async () => {
  const victim = { stationId: 'VICTIM' }
  const attacker = { stationId: 'ATTACKER' }
  const ids = Array.from({ length: 20 }, (_, index) => 1_000 + index)
  const starts = ids.map((id) => start16({ connectorId: id }, id, victim))
  await batch(starts)
  const stored = async () => ({
    ...project(await storedRows(db.database, 'VICTIM'), { arrival: true }),
    jobs: await db.database.query({ text: 'SELECT * FROM job', values: [] }),
  })
  const before = await stored()
  expect(before.transactions).toHaveLength(ids.length)
  const { transactions } = await storedRows(db.database, 'VICTIM')
  const ofVictim = new Set(transactions.map(({ id }) => id))

  let ended = 0
  for (let done = 0; done < tries; done += batchSize) {
    const records = Array.from({ length: Math.min(batchSize, tries - done) }, (_, index) => {
      const transactionId = Number(ids[(done + index) % ids.length])
      const meterStop = 2_000 + done + index
      return index % 2 === 0
        ? stop16({ transactionId, meterStop, idTag: acceptedToken.value }, attacker)
        : meterValues16(
            { transactionId, connectorId: transactionId },
            { '2026-03-01T10:30:00.000Z': meterStop },
            attacker,
          )
    })
    // With starts that the log brings again in the same batch, so that what is attacked is in memory as well.
    const decisions = await batch([...starts, ...records])
    const answers = decisions.map(({ answer }) => answer)
    expect(answers.filter((answer) => answer && 'error' in answer)).toEqual([])
    const told = decisions.map(({ events = [] }) => events)
    expect(told.slice(0, starts.length).flat()).toEqual([])
    // What is told of is the attacker's own: no victim is ended in anybody's eyes.
    expect(told.flat().filter(({ subject }) => ofVictim.has(subject))).toEqual([])
    ended += told.flat().filter(({ type }) => type === 'transaction.ended').length
  }

  expect(ended).toBeGreaterThan(0)
  expect(await stored()).toEqual(before)
})
