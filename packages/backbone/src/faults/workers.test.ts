import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { describeDistributed, type Harness, services, until } from '../contract/sides.js'
import type { Backbone } from '../index.js'
import { createApplied, insertApplied, readApplied } from './applied.js'

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

describeDistributed('workers of one service', (side) => {
  let harness: Harness
  const stops: (() => Promise<void>)[] = []

  beforeEach(async () => {
    harness = await side.open({ partitions: 6 })
    await harness.database.query(createApplied)
  })
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
    await harness.close()
  })

  const lane = () => harness.backbone.topics.lane('stations')
  const stations = Array.from({ length: 24 }, (_, i) => `CP${i}`)

  /** One record for each station: its number, per station. */
  async function appendRound(round: number): Promise<string[]> {
    const values = stations.map((station) => `${station}/${round}`)
    await Promise.all(
      stations.map((key, i) =>
        harness.backbone.log.append({ topic: lane(), key, value: values[i] ?? '', headers: {} }),
      ),
    )
    return values
  }

  async function startWorker(name: string, backbone: Backbone) {
    const worker = { assigned: [] as number[], stop: async () => {} }
    const consumer = await backbone.log.consume({
      service: 'stations',
      topics: [lane(), backbone.topics.outcomes],
      onAssigned: (partitions) => {
        worker.assigned = partitions
      },
      onBatch: async (batch) => {
        await harness.database.commit([insertApplied(name, batch.records), batch.advance])
      },
    })
    worker.stop = consumer.stop
    stops.push(consumer.stop)
    return worker
  }

  async function startChild(delayMs: number) {
    const lines: string[] = []
    const prefix = harness.backbone.topics.events.replace(/\.events$/, '')
    const script = fileURLToPath(new URL('./worker-process.ts', import.meta.url))
    const child: ChildProcess = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        script,
        harness.url,
        services?.brokers.join(',') ?? '',
        services?.redisUrl ?? '',
        prefix,
        '6',
        `${delayMs}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    if (child.stdout) createInterface(child.stdout).on('line', (line) => lines.push(line))
    stops.push(async () => {
      child.kill('SIGKILL')
    })
    await until(() => lines.includes('ready'), 'the child')
    return { child, lines }
  }

  const expectOnce = async (expected: string[]) => {
    const applied = await readApplied(harness.database)
    expect(applied.map((each) => each.value).sort()).toEqual([...expected].sort())
    return applied
  }
  const expectOnceAndInOrder = async (expected: string[]) => {
    const applied = await expectOnce(expected)
    for (const station of stations) {
      const rounds = applied
        .filter((each) => each.value.startsWith(`${station}/`))
        .map((each) => each.value.split('/')[1])
      expect(rounds).toEqual([...rounds].sort((a, b) => Number(a) - Number(b)))
    }
    return applied
  }
  const countApplied = async () => (await readApplied(harness.database)).length

  test('share the partitions, and partition p of every topic is with one of them', async () => {
    const one = await startWorker('one', harness.backbone)
    const two = await startWorker('two', await harness.another())
    await until(() => one.assigned.length === 3 && two.assigned.length === 3)

    const { log, topics } = harness.backbone
    const expected = await appendRound(0)
    await Promise.all(
      stations.map((key) => log.append({ topic: topics.outcomes, key, value: `${key}/1`, headers: {} })),
    )
    expected.push(...stations.map((key) => `${key}/1`))
    await until(async () => (await countApplied()) === expected.length)

    expect([...one.assigned, ...two.assigned].sort()).toEqual([0, 1, 2, 3, 4, 5])
    const applied = await expectOnce(expected)
    for (const [name, worker] of [['one', one] as const, ['two', two] as const]) {
      const partitions = new Set(applied.filter((each) => each.worker === name).map((each) => each.partition))
      expect([...partitions].sort()).toEqual(worker.assigned)
    }
  })

  test('come and go while records arrive: each is applied once, in order', async () => {
    const expected: string[] = []
    await startWorker('one', harness.backbone)
    const other = await harness.another()
    let running = true
    const appending = (async () => {
      for (let round = 0; running; round++) {
        expected.push(...(await appendRound(round)))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    for (let i = 0; i < 3; i++) {
      const two = await startWorker('two', other)
      await until(() => two.assigned.length === 3)
      await new Promise((resolve) => setTimeout(resolve, 300))
      await two.stop()
    }
    running = false
    await appending
    await until(async () => (await countApplied()) >= expected.length)

    const applied = await expectOnceAndInOrder(expected)
    expect(new Set(applied.map((each) => each.worker))).toEqual(new Set(['one', 'two']))
  })

  test('one that leaves hands its partitions over at once', async () => {
    const one = await startWorker('one', harness.backbone)
    const two = await startWorker('two', await harness.another())
    await until(() => one.assigned.length === 3 && two.assigned.length === 3)
    await two.stop()
    const startedAt = performance.now()
    await until(() => one.assigned.length === 6)

    expect(performance.now() - startedAt).toBeLessThan(3000)
  })

  test('one that was frozen cannot commit what another has taken over, and joins again', async () => {
    const { child, lines } = await startChild(1000)
    const expected = await appendRound(0)
    await until(() => lines.some((line) => line.startsWith('batch')))
    child.kill('SIGSTOP')

    const survivor = await startWorker('survivor', harness.backbone)
    await until(() => survivor.assigned.length === 6)
    await until(async () => (await countApplied()) === expected.length)
    expected.push(...(await appendRound(1)))
    await until(async () => (await countApplied()) === expected.length)
    child.kill('SIGCONT')
    await until(() => lines.includes('failed OffsetConflictError'), 'the conflict')
    await until(() => survivor.assigned.length === 3, 'the return')
    expected.push(...(await appendRound(2)))
    await until(async () => (await countApplied()) === expected.length)

    const applied = await expectOnceAndInOrder(expected)
    expect(applied.slice(0, 48).every((each) => each.worker === 'survivor')).toBe(true)
    expect(lines.filter((line) => line === 'failed OffsetConflictError')).toHaveLength(1)
  })

  test('one that was killed in mid-batch has applied nothing; another does it within 7 s', async () => {
    const { child, lines } = await startChild(60_000)
    const survivor = await startWorker('survivor', harness.backbone)
    await until(() => survivor.assigned.length === 3)
    const expected = await appendRound(0)
    await until(() => lines.filter((line) => line.startsWith('batch')).length > 0)
    child.kill('SIGKILL')
    const killedAt = performance.now()
    await until(async () => (await countApplied()) === expected.length, 'the takeover')

    expect(performance.now() - killedAt).toBeLessThan(7500)
    await expectOnceAndInOrder(expected)
  })
})
