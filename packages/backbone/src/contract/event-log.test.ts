import { OffsetConflictError, UnavailableError } from '@busbar/store'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type LogBatch, type LogRecord, maxRecordBytes, type TailOptions } from '../index.js'
import { partitionOf } from '../shared/partitioner.js'
import { countOf, type Harness, sides, until } from './sides.js'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

describe.each(sides)('the event log, $name', (side) => {
  let harness: Harness
  const stops: (() => Promise<void>)[] = []

  const open = async (options?: { partitions?: number }) => {
    harness = await side.open(options)
    return harness
  }
  const lane = () => harness.backbone.topics.lane('stations')
  const append = (key: string, value: string | Buffer, headers = {}) =>
    harness.backbone.log.append({ topic: lane(), key, value, headers })

  /** A consumer that commits the offsets and keeps what it applied. */
  async function consume(
    onBatch = async (batch: LogBatch) => {
      await harness.database.commit([batch.advance])
    },
    topics = [lane()],
    gathered: string[] = [],
  ) {
    const applied: LogRecord[] = []
    const batches: LogRecord[][] = []
    const consumer = await harness.backbone.log.consume({
      service: 'stations',
      topics,
      gathered,
      onBatch: async (batch) => {
        await onBatch(batch)
        applied.push(...batch.records)
        batches.push(batch.records)
      },
    })
    stops.push(consumer.stop)
    return { applied, batches, stop: consumer.stop, values: () => applied.map((record) => record.value.toString()) }
  }

  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
    await harness.close()
  })

  test('a record arrives as it was appended, to the byte', async () => {
    await open()
    const value = Buffer.from([0, 255, 128, 10, 0])
    const headers = { type: 'call', messageId: 'a\0b\uE0000\u0001"\\u', note: 'Säule 充电', half: '\ud800' }
    await append('CP 001', value, headers)

    const { applied } = await consume()
    await until(() => applied.length === 1)

    expect(applied[0]).toEqual({
      topic: lane(),
      partition: partitionOf('CP 001', harness.partitions),
      offset: 0n,
      key: 'CP 001',
      value,
      headers: { ...headers, half: '\ufffd' },
      appendedAt: expect.any(Date),
    })
    expect(Math.abs(Date.now() - (applied[0]?.appendedAt.getTime() ?? 0))).toBeLessThan(10_000)
  })

  test('records of one station keep their order, whatever runs beside them', async () => {
    await open()
    const { applied } = await consume()
    const stations = Array.from({ length: 20 }, (_, i) => `CP${i}`)
    const appended: Promise<void>[] = []
    for (let n = 0; n < 100; n++) {
      for (const station of stations) {
        appended.push(
          harness.backbone.log.append(
            { topic: lane(), key: station, value: String(n), headers: {} },
            { linger: n % 7 === 0 },
          ),
        )
      }
      if (n % 10 === 0) await Promise.all(appended)
    }
    await Promise.all(appended)
    await until(() => applied.length === 2000)

    for (const station of stations) {
      const values = applied.filter((record) => record.key === station).map((record) => Number(record.value))
      expect(values).toEqual(Array.from({ length: 100 }, (_, n) => n))
    }
  })

  test('what all partitions have at hand comes as one batch', async () => {
    await open()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let started = false
    const { applied, batches } = await consume(async (batch) => {
      started = true
      await held
      await harness.database.commit([batch.advance])
    })
    await append('first', 'first')
    await until(() => started)
    await Promise.all(Array.from({ length: 60 }, (_, i) => append(`CP${i}`, 'x')))
    release()
    await until(() => applied.length === 61)

    const rest = batches.slice(1)
    expect(new Set(rest.flat().map((record) => record.partition)).size).toBe(harness.partitions)
    expect(rest.length).toBeLessThan(harness.partitions)
  })

  test('a consumer goes on where its last commit left it', async () => {
    await open()
    await append('CP1', 'one')
    const first = await consume()
    await until(() => first.applied.length === 1)
    await first.stop()
    stops.splice(0)
    await append('CP1', 'two')

    const second = await consume()
    await until(() => second.applied.length === 1)

    expect(second.values()).toEqual(['two'])
  })

  test('a batch that was not committed comes again, in order and with what followed', async () => {
    await open()
    let failures = 0
    const { values } = await consume(async (batch) => {
      if (failures++ < 1) throw new Error('a crash before the commit')
      await harness.database.commit([batch.advance])
    })
    await append('CP1', 'one')
    await append('CP1', 'two')
    await append('CP1', 'three')
    await until(() => values().length === 3)

    expect(values()).toEqual(['one', 'two', 'three'])
  })

  test('a batch whose commit succeeded without our knowing is not applied twice', async () => {
    await open()
    let lost = true
    const { values } = await consume(async (batch) => {
      await harness.database.commit([batch.advance])
      if (!lost) return
      lost = false
      throw new UnavailableError('the connection broke during COMMIT')
    })
    await append('CP1', 'one')
    await until(() => !lost)
    await append('CP1', 'two')
    await until(() => values().length === 1)

    expect(values()).toEqual(['two'])
  })

  test('while Postgres is away nothing is lost and nothing overtakes', async () => {
    await open()
    let away = true
    let attempts = 0
    const { values } = await consume(async (batch) => {
      attempts++
      if (away) throw new UnavailableError('Postgres is away')
      await harness.database.commit([batch.advance])
    })
    for (let n = 0; n < 5; n++) await append('CP1', String(n))
    await until(() => attempts >= 3)
    away = false
    await append('CP1', '5')
    await until(() => values().length === 6)

    expect(values()).toEqual(['0', '1', '2', '3', '4', '5'])
    expect(await countOf(harness.metrics, 'busbar_consumer_pauses_total')).toBeGreaterThanOrEqual(3)
  })

  test('offsets that another worker moved are read anew, and their records not applied', async () => {
    await open()
    const { values } = await consume()
    await append('CP1', 'ours')
    await until(() => values().length === 1)

    let conflicts = 0
    // The next record is another worker's: it commits first.
    await harness.database.query({
      text: 'UPDATE consumer_offset SET next = next + 1 WHERE topic = $1 AND partition = $2',
      values: [lane(), partitionOf('CP1', harness.partitions)],
    })
    await append('CP1', 'theirs')
    await until(async () => {
      conflicts = await countOf(harness.metrics, 'busbar_consumer_conflicts_total')
      return conflicts > 0
    })
    await append('CP1', 'ours again')
    await until(() => values().length === 2)

    expect(values()).toEqual(['ours', 'ours again'])
    expect(conflicts).toBe(1)
  })

  test('a commit on offsets that moved changes nothing', async () => {
    await open()
    const batches: LogBatch[] = []
    const { applied } = await consume(async (batch) => {
      batches.push(batch)
      await harness.database.commit([batch.advance])
    })
    await append('CP1', 'one')
    await until(() => applied.length === 1)

    const again = batches.map((batch) => harness.database.commit([batch.advance]))

    await expect(Promise.all(again)).rejects.toThrow(OffsetConflictError)
  })

  test('records that the log lost are reported, and reading goes on behind them', async () => {
    await open()
    const first = await consume()
    await append('CP1', 'one')
    await until(() => first.applied.length === 1)
    await first.stop()
    stops.splice(0)
    for (const value of ['two', 'three', 'four']) await append('CP1', value)
    await harness.loseRecordsBefore(lane(), partitionOf('CP1', harness.partitions), 3)

    const second = await consume()
    await until(() => second.applied.length === 1)

    expect(second.values()).toEqual(['four'])
    expect(await countOf(harness.metrics, 'busbar_consumer_offset_jumps_total')).toBe(1)
  })

  test('a record on the wrong partition is appended again where its station belongs', async () => {
    await open()
    const right = partitionOf('CP1', harness.partitions)
    const wrong = (right + 1) % harness.partitions
    const { applied, values } = await consume()
    await harness.appendForeign({ topic: lane(), partition: wrong, key: 'CP1', value: 'misplaced' })
    await until(() => applied.length === 1)
    await append('CP1', 'after')
    await until(() => applied.length === 2)

    expect(values()).toEqual(['misplaced', 'after'])
    expect(applied[0]).toMatchObject({ partition: right, headers: { rekeyed: `${wrong}/0` } })
    const offsets = await harness.database.query<{ next: bigint }>({
      text: 'SELECT next FROM consumer_offset WHERE topic = $1 AND partition = $2',
      values: [lane(), wrong],
    })
    expect(offsets).toEqual([{ next: 1n }])
  })

  test('a consumer reads several topics, and partition p of all is in its hands', async () => {
    await open()
    const { outcomes } = harness.backbone.topics
    const { applied } = await consume(undefined, [lane(), outcomes])
    await append('CP1', 'frame')
    await harness.backbone.log.append({ topic: outcomes, key: 'CP1', value: 'outcome', headers: {} })
    await until(() => applied.length === 2)

    expect(applied.map((record) => [record.topic, record.value.toString()]).sort()).toEqual([
      [outcomes, 'outcome'],
      [lane(), 'frame'],
    ])
  })

  test('records that nobody waits for gather, and hold up none of the others', async () => {
    await open()
    const { events } = harness.backbone.topics
    const { batches, values } = await consume(undefined, [lane(), events], [events])
    for (let record = 0; record < 60; record += 1) {
      await harness.backbone.log.append({ topic: events, key: 'CP1', value: `event ${record}`, headers: {} })
      await append('CP1', `frame ${record}`)
      await until(() => values().includes(`frame ${record}`))
    }
    const framesFirst = batches.filter((batch) => batch.every(({ topic }) => topic === lane())).length
    await until(() => values().length === 120)

    expect(values().filter((value) => value.startsWith('event'))).toEqual(
      Array.from({ length: 60 }, (_, record) => `event ${record}`),
    )
    expect(framesFirst).toBeGreaterThan(30)
    expect(batches.filter((batch) => batch.some(({ topic }) => topic === events)).length).toBeLessThan(30)
  })

  test('a tail has seen what it was to begin with when it runs, told where that is before, and sees what comes then', async () => {
    await open({ partitions: 4 })
    const { log } = harness.backbone
    const before = Array.from({ length: 30 }, (_, index) => `before ${index}`)
    for (const value of before) await append('CP1', value)
    for (const key of ['CP2', 'CP3', 'CP4', 'CP5']) await append(key, 'once')
    const follow = async (from: TailOptions['from']) => {
      const told: string[] = []
      const tail = await log.tail({
        topics: [lane()],
        from,
        onBegun: (begun) => told.push(...begun.map(({ partition, next }) => `${partition} from ${next}`)),
        onRecords: (records) =>
          told.push(...records.map(({ partition, offset, value }) => `${partition}: ${offset} ${value}`)),
      })
      stops.push(tail.stop)
      return { told, atOnce: [...told] }
    }
    const [none, ten, all] = [await follow({ last: 0 }), await follow({ last: 10 }), await follow('beginning')]

    const home = partitionOf('CP1', 4)
    expect([none, ten, all].map(({ atOnce }) => atOnce.length)).toEqual([4, 4 + 10, 4 + 34])
    const first = ten.atOnce.find((text) => text.startsWith(`${home} from`))?.split(' from ')[1]
    expect(ten.atOnce.find((text) => text.startsWith(`${home}: `))).toContain(`${home}: ${first} `)
    expect(all.atOnce.flatMap((text) => /before \d+$/.exec(text) ?? [])).toEqual(before)
    for (const { atOnce } of [none, ten, all])
      expect(atOnce.slice(0, 4).every((text) => / from /.test(text))).toBe(true)
    await append('CP1', 'after')
    await until(() => [none, ten, all].every(({ told, atOnce }) => told.length === atOnce.length + 1))
    expect(new Set([none, ten, all].map(({ told }) => told.at(-1))).size).toBe(1)
    expect(none.told.at(-1)).toMatch(/ after$/)
    for (const { told } of [none, ten, all]) expect(new Set(told).size).toBe(told.length)
  })

  test('a record just below the limit passes, one above it is refused as our mistake', async () => {
    await open()
    const { applied } = await consume()
    await append('CP1', Buffer.alloc(maxRecordBytes - 100, 'x'))
    await until(() => applied.length === 1)

    expect(applied[0]?.value.length).toBe(maxRecordBytes - 100)
    const tooLong = append('CP1', Buffer.alloc(maxRecordBytes + 1))
    await expect(tooLong).rejects.toThrow(/above the limit/)
    await expect(tooLong).rejects.not.toBeInstanceOf(UnavailableError)
    const unknown = harness.backbone.log.append({ topic: 'nobody', key: '', value: '', headers: {} })
    await expect(unknown).rejects.toThrow('unknown topic: nobody')
  })
})
