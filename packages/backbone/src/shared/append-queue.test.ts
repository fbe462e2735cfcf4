import { setTimeout as sleep } from 'node:timers/promises'
import { UnavailableError } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, expect, test } from 'vitest'
import { topicNames } from '../topics.js'
import { type AppendLimits, AppendQueue, type PlacedRecord } from './append-queue.js'
import { backboneMetrics } from './metrics.js'

const topics = topicNames('test')
const topic = topics.events
let queue: AppendQueue

/** A log whose answers the test decides: each request waits in `requests`. */
function fakeLog(limits: Partial<AppendLimits> = {}) {
  const requests: { values: string[]; accept: () => void; refuse: () => void }[] = []
  const send = (records: readonly PlacedRecord[]) =>
    new Promise<void>((resolve, reject) => {
      const values = records.map((record) => record.value.toString())
      requests.push({ values, accept: resolve, refuse: () => reject(new Error('refused')) })
    })
  queue = new AppendQueue({
    topics,
    partitions: 6,
    send,
    log: pino({ level: 'silent' }),
    metrics: backboneMetrics(new Registry()),
    limits: { giveUpMs: 300, toleranceMs: 100, probeMs: 20, ...limits },
  })
  const append = (value: string, linger: boolean | 'alone' = false) =>
    queue.append({ topic, key: 'CP1', value, headers: {} }, { linger })
  const request = async (index: number) => {
    for (let i = 0; i < 200 && requests.length <= index; i++) await sleep(5)
    const found = requests[index]
    if (!found) throw new Error(`no request ${index}`)
    return found
  }
  return { requests, append, request }
}

afterEach(async () => {
  await queue.close()
})

test('what gathers while a request is out is the next request', async () => {
  const { append, request } = fakeLog()
  const first = append('1')
  const one = await request(0)
  const rest = [append('2'), append('3'), append('4')]
  one.accept()
  const two = await request(1)
  two.accept()
  await Promise.all([first, ...rest])

  expect([one.values, two.values]).toEqual([['1'], ['2', '3', '4']])
})

test('what is appended in one turn of the event loop shares a request', async () => {
  const { append, request } = fakeLog()
  const appended = [append('1'), append('2')]
  const one = await request(0)
  one.accept()
  await Promise.all(appended)

  expect(one.values).toEqual(['1', '2'])
})

test('a record nobody waits for waits for company, one that is waited for takes it along', async () => {
  const { append, request, requests } = fakeLog({ lingerMs: 400 })
  const lingering = append('lingers', true)
  await sleep(50)
  expect(requests).toHaveLength(0)

  const urgent = append('urgent')
  const one = await request(0)
  one.accept()
  await Promise.all([lingering, urgent])

  expect(one.values).toEqual(['lingers', 'urgent'])
})

test('a record that found no company goes alone', async () => {
  const { append, request } = fakeLog({ lingerMs: 300, giveUpMs: 2000 })
  const lingering = append('lingers', true)
  const one = await request(0)
  one.accept()
  await lingering

  expect(one.values).toEqual(['lingers'])
})

test('where no other station is talking a record does not wait', async () => {
  const { append, request, requests } = fakeLog()
  for (let index = 0; index < 20; index++) {
    const appended = append(String(index), true)
    await new Promise(setImmediate)
    expect(requests).toHaveLength(index + 1)
    ;(await request(index)).accept()
    await appended
  }
})

test('a record that waits alone waits where no other station is talking, for the next of its own', async () => {
  const { append, request, requests } = fakeLog({ lingerMs: 400 })
  const lingering = append('lingers', 'alone')
  await sleep(50)
  expect(requests).toHaveLength(0)

  const urgent = append('urgent')
  const one = await request(0)
  one.accept()
  await Promise.all([lingering, urgent])

  expect(one.values).toEqual(['lingers', 'urgent'])
})

test('records nobody waits for go at once when enough of them are in hand', async () => {
  const { append, request } = fakeLog({ lingerMs: 10_000, fullRequestRecords: 2, giveUpMs: 2000 })
  const full = [append('1', true), append('2', true)]
  const one = await request(0)
  const meanwhile = [append('3', true), append('4', true)]
  one.accept()
  const two = await request(1)
  two.accept()
  await Promise.all([...full, ...meanwhile])

  expect([one.values, two.values]).toEqual([
    ['1', '2'],
    ['3', '4'],
  ])
})

test('a refused request is repeated as it was before anything that followed it', async () => {
  const { append, request } = fakeLog({ giveUpMs: 2000 })
  const appended = [append('1')]
  const one = await request(0)
  appended.push(append('2'))
  one.refuse()
  const again = await request(1)
  again.refuse()
  const third = await request(2)
  third.accept()
  const fourth = await request(3)
  fourth.accept()
  await Promise.all(appended)

  expect([again.values, third.values, fourth.values]).toEqual([['1'], ['1'], ['2']])
})

test('when a record is given up nothing behind it is sent', async () => {
  const { append, request, requests } = fakeLog()
  const outcomes = [append('1'), sleep(5).then(() => append('2'))].map((each) => each.catch((error) => error))
  const one = await request(0)
  await sleep(250)
  one.refuse()

  expect(await Promise.all(outcomes)).toEqual([expect.any(UnavailableError), expect.any(UnavailableError)])
  expect(requests.flatMap((each) => each.values)).not.toContain('2')
  for (let i = 1; i < requests.length; i++) (await request(i)).accept()
})

test('a request that hangs is given up in time, and nothing is sent until it ended', async () => {
  const { append, request, requests } = fakeLog()
  const startedAt = performance.now()
  await expect(append('1')).rejects.toThrow(UnavailableError)

  expect(performance.now() - startedAt).toBeLessThan(500)
  await sleep(100)
  expect(requests).toHaveLength(1)
  const hanging = await request(0)
  hanging.accept()
  const canary = await request(1)
  expect(canary.values).toEqual(['canary'])
  canary.accept()
})

test('while the log is away appends are refused at once, and a canary brings it back', async () => {
  const { append, request } = fakeLog()
  expect(queue.available).toBe(true)
  const first = append('1').catch((error) => error)
  const one = await request(0)
  await sleep(250)
  one.refuse()
  expect(await first).toBeInstanceOf(UnavailableError)

  expect(queue.available).toBe(false)
  await expect(append('2')).rejects.toThrow('the log is away')
  const canary = await request(1)
  canary.refuse()
  const next = await request(2)
  expect(queue.available).toBe(false)
  next.accept()
  await sleep(10)

  expect(queue.available).toBe(true)
  const back = append('3')
  const three = await request(3)
  three.accept()
  await back
  expect([canary.values, next.values, three.values]).toEqual([['canary'], ['canary'], ['3']])
})

test('failures count as an absence only when they last', async () => {
  const { append, request } = fakeLog({ giveUpMs: 2000 })
  const appended = append('1')
  const one = await request(0)
  one.refuse()
  const two = await request(1)
  expect(queue.available).toBe(true)
  await sleep(150)
  expect(queue.available).toBe(false)
  two.accept()
  await appended
  expect(queue.available).toBe(true)
})

test('a request has a size, so that a backlog does not exceed what the log takes', async () => {
  const { append, request } = fakeLog({ maxRequestBytes: 10 })
  const appended = ['12345', '67890', 'abc', 'a long one of twenty'].map((value) => append(value))
  const values: string[][] = []
  for (let i = 0; i < 3; i++) {
    const each = await request(i)
    values.push(each.values)
    each.accept()
  }
  await Promise.all(appended)

  expect(values).toEqual([['12345', '67890'], ['abc'], ['a long one of twenty']])
})

test('closing sends what was appended', async () => {
  const { append, request } = fakeLog({ lingerMs: 10_000 })
  const appended = append('1', true)
  const closed = queue.close()
  const one = await request(0)
  one.accept()
  await Promise.all([appended, closed])

  await expect(append('2')).rejects.toThrow('the log is closed')
})
