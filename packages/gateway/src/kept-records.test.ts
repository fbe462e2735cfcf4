import type { OutgoingRecord } from '@busbar/backbone'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { FakeLog } from './fakes.js'
import { KeptRecords } from './kept-records.js'
import { GatewayMetrics } from './metrics.js'

class PickyLog extends FakeLog {
  override append(record: OutgoingRecord): Promise<void> {
    return this.available && record.value === 'too long'
      ? Promise.reject(new Error('above the limit'))
      : super.append(record)
  }
}

/** Kept while the log was away; it is back, and says nothing until `release`. */
async function keepAll(values: readonly string[]) {
  const log = new PickyLog()
  const registry = new Registry()
  const metrics = new GatewayMetrics(registry)
  const kept = new KeptRecords(log, pino({ level: 'silent' }), metrics)
  const append = (value: string) => kept.append({ topic: 'lane', key: 'CP-1', value, headers: {} })
  log.available = false
  for (const value of values) append(value)
  await kept.settled()
  log.available = true
  log.isHeld = true
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const lost = async () => {
    metrics.flush()
    const counts = await registry.getSingleMetric('busbar_gateway_lost_total')?.get()
    return counts?.values.find(({ labels }) => labels.what === 'outcome')?.value
  }
  return { log, kept, append, turn, lost, values: () => log.records.map(({ value }) => value) }
}

const numbers = Array.from({ length: 1200 }, (_, index) => String(index))

test('what waited goes out hundreds at once, and what came meanwhile behind it', async () => {
  const { log, kept, append, turn, values } = await keepAll(numbers)

  kept.retry()
  append('last')
  const held: number[] = []
  for (let round = 0; round < 3; round++) {
    held.push(log.heldCount)
    log.release()
    await turn()
  }

  expect(held).toEqual([500, 500, 201])
  await kept.settled()
  expect(values()).toEqual([...numbers, 'last'])
})

test('when the log goes away again, what it had taken is not sent twice and nothing is lost', async () => {
  const { log, kept, turn, values } = await keepAll(numbers)
  kept.retry()
  log.release(300)
  log.break()
  await kept.settled()
  expect(values()).toEqual(numbers.slice(0, 300))

  log.available = true
  log.isHeld = false
  kept.retry()
  await kept.settled()
  await turn()

  expect(values()).toEqual(numbers)
})

test('a record that the log refuses for its own sake is counted, and holds up no other', async () => {
  const { log, kept, values, lost } = await keepAll(['first', 'too long', 'last'])
  log.isHeld = false

  kept.retry()
  await kept.settled()

  expect(values()).toEqual(['first', 'last'])
  expect(await lost()).toBe(1)
})
