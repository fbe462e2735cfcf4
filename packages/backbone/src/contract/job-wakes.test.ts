import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Job, jobStatements } from '../index.js'
import { type Harness, sides, until } from './sides.js'

describe.each(sides)('job wakes, $name', (side) => {
  let harness: Harness
  let running: { stop(): Promise<void> } | null = null
  beforeAll(async () => {
    harness = await side.open({ partitions: 1 })
  }, 40_000)
  afterAll(() => harness.close(), 40_000)
  afterEach(async () => {
    await running?.stop()
    running = null
    await harness.database.query({ text: 'DELETE FROM job', values: [] })
  })

  const job = (key: string, inMs: number): Job => ({
    service: 'commands',
    kind: 'expiry',
    key,
    stationId: 'CP1',
    dueAt: new Date(Date.now() + inMs),
  })
  const put = (...jobs: Job[]) => harness.database.commit(jobStatements(jobs, []))

  /** Does each job as its owner would: the row goes. */
  async function start() {
    const done: { job: Job; at: number }[] = []
    running = await harness.backbone.jobs.start(async (jobs) => {
      done.push(...jobs.map((each) => ({ job: each, at: Date.now() })))
      await harness.database.commit(jobStatements([], jobs))
    })
    return done
  }

  test('a job is handed out on time', async () => {
    const done = await start()
    const jobs = [job('a', 300), job('b', 330), job('c', 700)]
    await put(...jobs)
    await harness.backbone.jobs.schedule(jobs)
    await until(() => done.length === 3)

    expect(done.map((each) => each.job)).toEqual(jobs)
    for (const each of done) {
      const latenessMs = each.at - each.job.dueAt.getTime()
      expect(latenessMs).toBeGreaterThanOrEqual(0)
      expect(latenessMs).toBeLessThan(500)
    }
  })

  test('a job whose wake was lost is found by the sweep', async () => {
    const done = await start()
    await put(job('a', -10_000))
    await until(() => done.length === 1)

    expect(done[0]?.job.key).toBe('a')
  })

  test('a job that was moved is handed out at its new time only', async () => {
    const done = await start()
    const early = job('a', 200)
    const late = job('a', 800)
    for (const each of [early, late]) {
      await put(each)
      await harness.backbone.jobs.schedule([each])
    }
    await until(() => done.length === 1)

    expect(done[0]?.job.dueAt).toEqual(late.dueAt)
    expect((done[0]?.at ?? 0) - late.dueAt.getTime()).toBeLessThan(500)
  })

  test('a job that was removed is not handed out', async () => {
    const done = await start()
    const removed = job('removed', 100)
    await put(removed, job('kept', 200))
    await harness.backbone.jobs.schedule([removed])
    await harness.database.commit(jobStatements([], [removed]))
    await until(() => done.length === 1)

    expect(done.map((each) => each.job.key)).toEqual(['kept'])
  })

  test('a job that is in hand is not handed out again at once', async () => {
    let times = 0
    running = await harness.backbone.jobs.start(async () => {
      times++
    })
    await put(job('a', -1))
    await until(() => times === 1)
    await harness.backbone.jobs.schedule([job('a', 0)])
    await new Promise((resolve) => setTimeout(resolve, 1500))

    expect(times).toBe(1)
  })

  test('a job that is put twice in one commit is due when it was put last', async () => {
    await put(job('a', 60_000), job('a', 90_000))

    const rows = await harness.database.query<{ due_at: Date }>({ text: 'SELECT due_at FROM job', values: [] })
    expect(rows).toHaveLength(1)
    expect((rows[0]?.due_at.getTime() ?? 0) - Date.now()).toBeGreaterThan(80_000)
  })

  test('a failing handler does not lose the jobs after it', async () => {
    const seen: string[] = []
    running = await harness.backbone.jobs.start(async (jobs) => {
      seen.push(...jobs.map((each) => each.key))
      throw new Error('the log is away')
    })
    await put(job('a', -1))
    await until(() => seen.length === 1)
    await put(job('b', -1))
    await until(() => seen.length === 2)

    const rows = await harness.database.query({ text: 'SELECT 1 FROM job', values: [] })
    expect(rows).toHaveLength(2)
  })
})
