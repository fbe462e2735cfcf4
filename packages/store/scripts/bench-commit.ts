// TEST_DATABASE_URL=... npx tsx packages/store/scripts/bench-commit.ts
// One batch commit of a worker, six set-based statements, through Prisma's $transaction and through Database.commit.
// Both alternate in one run, five times; the medians are printed. CPU is user + system of this process.
import { createTestDatabase, encodeReading, newId, type Sql } from '../src/index.js'
import { insertInto, upsertInto } from '../src/rows.js'

const rounds = 5
const commitsPerRound = 300
const batchSizes = [1, 50]

const offsets = upsertInto(
  'consumer_offset',
  { log: 'text', service: 'text', topic: 'text', partition: 'int4', next: 'int8' },
  ['log', 'service', 'topic', 'partition'],
)
const transactions = insertInto(
  'charging_transaction',
  {
    id: 'uuid',
    stationId: 'text',
    protocol: 'text',
    naturalKey: 'text',
    status: 'text',
    createdAt: 'timestamptz',
    updatedAt: 'timestamptz',
  },
  'ON CONFLICT DO NOTHING',
)
const aliases = insertInto('transaction_alias', { stationId: 'text', ocppId: 'text', transactionId: 'uuid' })
const steps = insertInto('transaction_step', {
  transactionId: 'uuid',
  stepKey: 'text',
  stationId: 'text',
  connectionId: 'text',
  sequence: 'int8',
  kind: 'text',
  at: 'timestamptz',
  receivedAt: 'timestamptz',
  payload: 'jsonb',
})
const readings = insertInto('meter_reading', {
  sampledAt: 'timestamptz',
  receivedAt: 'timestamptz',
  transactionId: 'uuid',
  stationId: 'text',
  reading: 'bytea',
})
const outbox = insertInto('outbox', { source: 'text', topic: 'text', key: 'text', value: 'bytea', headers: 'jsonb' })

let batches = 0
function statements(size: number): Sql[] {
  const now = new Date()
  batches += 1
  const rows = Array.from({ length: size }, (_, index) => {
    const id = newId()
    const common = {
      stationId: `CS-${index}`,
      connectionId: 'c',
      createdAt: now,
      updatedAt: now,
      at: now,
      receivedAt: now,
    }
    const samples = [{ value: '12345.6', measurand: 'Energy.Active.Import.Register', unit: 'Wh' }]
    return {
      ...common,
      id,
      transactionId: id,
      ocppId: id,
      naturalKey: id,
      stepKey: id,
      protocol: 'ocpp1.6',
      status: 'active',
      kind: 'start',
      sequence: BigInt(index),
      sampledAt: now,
      reading: encodeReading({ evseNumber: 1, connectorNumber: 1, samples }),
      payload: { connectorId: 1, idTag: 'A1B2C3D4', meterStart: 12345, timestamp: now.toISOString() },
      source: 'transactions:1',
      topic: 'busbar.events',
      key: `CS-${index}`,
      value: Buffer.alloc(300, 'x'),
      headers: {},
    }
  })
  const offset = { log: 'bench', service: 'transactions', topic: 't', partition: 1, next: batches }
  return [transactions(rows), aliases(rows), steps(rows), readings(rows), outbox(rows), offsets([offset])]
}

const test = await createTestDatabase()
const { database } = test
const ways = {
  'prisma.$transaction': (batch: Sql[]) =>
    database.prisma.$transaction(batch.map(({ text, values }) => database.prisma.$executeRawUnsafe(text, ...values))),
  'Database.commit': (batch: Sql[]) => database.commit(batch),
}
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

try {
  console.log('| records a batch | way | CPU us a commit | ms a commit |\n|---|---|---|---|')
  for (const size of batchSizes) {
    const figures = Object.entries(ways).map(([name, commit]) => ({
      name,
      commit,
      cpu: [] as number[],
      ms: [] as number[],
    }))
    for (let round = 0; round <= rounds; round += 1) {
      for (const { commit, cpu, ms } of figures) {
        const prepared = Array.from({ length: commitsPerRound }, () => statements(size))
        const [cpuBefore, before] = [process.cpuUsage(), performance.now()]
        for (const batch of prepared) await commit(batch)
        const { user, system } = process.cpuUsage(cpuBefore)
        // The first round warms up both.
        if (round === 0) continue
        cpu.push((user + system) / commitsPerRound)
        ms.push((performance.now() - before) / commitsPerRound)
      }
    }
    for (const { name, cpu, ms } of figures) {
      console.log(`| ${size} | \`${name}\` | ${median(cpu).toFixed(0)} | ${median(ms).toFixed(2)} |`)
    }
  }
} finally {
  await test.drop()
}
