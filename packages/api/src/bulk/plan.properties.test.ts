import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unapprovedPerMinute } from './limits.js'
import { planSteps, type Run, type Step, toOffsets } from './plan.js'

const runs = { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) }
const startedAt = new Date('2026-03-01T10:00:00Z')
const at = (seconds: number) => new Date(startedAt.getTime() + seconds * 1_000)

/** The rows of a bulk command, all that there is of it. */
interface Rows {
  id: string
  approved: boolean
  pacePerMinute: number
  stopAbovePercent: number | null
  /** By its maker, all the time. */
  switchedAlone: number
  targets: { stationId: string; offsetMs: number; sentAt: number | null; verdictAt: number; fails: boolean }[]
  status: string
}

const bulk = fc
  .record({
    approved: fc.boolean(),
    pacePerMinute: fc.integer({ min: 1, max: 400 }),
    jitterSeconds: fc.integer({ min: 0, max: 120 }),
    stopAbovePercent: fc.option(fc.integer({ min: 0, max: 100 })),
    stations: fc.integer({ min: 1, max: 150 }),
    failing: fc.integer({ min: 0, max: 100 }),
    switchedAlone: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
  })
  .map((given) => ({ ...given, stopAbovePercent: given.stopAbovePercent }))

function toRows(
  given: {
    approved: boolean
    pacePerMinute: number
    jitterSeconds: number
    stopAbovePercent: number | null
    stations: number
    failing: number
    switchedAlone: number
  },
  index: number,
): Rows {
  const stationIds = Array.from({ length: given.stations }, (_, number) => `CS-${number}`)
  let seed = index
  const random = () => {
    seed = (seed * 16_807 + 11) % 2_147_483_647
    return seed / 2_147_483_647
  }
  return {
    id: String(index),
    ...given,
    status: 'running',
    targets: toOffsets(stationIds, given, random).map((each) => ({
      ...each,
      sentAt: null,
      verdictAt: 1 + random() * 30,
      fails: random() * 100 < given.failing,
    })),
  }
}

/** What `selectRuns` reads of the rows. */
function read({ id, approved, pacePerMinute, stopAbovePercent, switchedAlone, targets }: Rows, second: number): Run {
  const sent = targets.filter(({ sentAt }) => sentAt !== null)
  const judged = sent.filter(({ sentAt, verdictAt }) => (sentAt ?? 0) + verdictAt <= second)
  const waiting = targets.filter(({ sentAt }) => sentAt === null).sort((one, other) => one.offsetMs - other.offsetMs)
  return {
    ...{ id, approved, pacePerMinute, stopAbovePercent, startedAt, waiting, stopAfter: 10, expiresAt: at(86_400) },
    switchedAlone,
    sentLately: sent.filter(({ sentAt }) => (sentAt ?? 0) > second - 60).length,
    stations: targets.length,
    judged: judged.length,
    failed: judged.filter(({ fails }) => fails).length,
    open: sent.length - judged.length,
  }
}

function step(all: Rows[], second: number, fleet: number): Step[] {
  const running = all.filter(({ status }) => status === 'running')
  const lately = all
    .filter(({ approved }) => !approved)
    .flatMap(({ targets }) => targets.filter(({ sentAt }) => sentAt !== null && sentAt > second - 60))
  const steps = planSteps(
    running.map((rows) => read(rows, second)),
    { now: at(second), fleet, unapprovedLately: lately.length },
  )
  for (const { id, send, end } of steps) {
    const rows = all.find((each) => each.id === id)
    if (!rows) continue
    for (const stationId of send) {
      const target = rows.targets.find((each) => each.stationId === stationId)
      if (!target || target.sentAt !== null) throw new Error(`${stationId} twice`)
      target.sentAt = second
    }
    if (end) rows.status = end.status
  }
  return steps
}

const sentWithin = ({ targets }: Rows, from: number, to: number) =>
  targets.filter(({ sentAt }) => sentAt !== null && sentAt > from && sentAt <= to).length

test('whenever a step is taken, and however long none was, no pace and no limit is passed and each station has one turn', () => {
  const pauses = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 5, maxLength: 60 })
  fc.assert(
    fc.property(
      fc.array(bulk, { minLength: 1, maxLength: 5 }),
      pauses,
      fc.integer({ min: 0, max: 2_000 }),
      (given, steps, fleet) => {
        const all = given.map(toRows)
        const unapproved = all.filter(({ approved }) => !approved)
        const limit = unapprovedPerMinute(fleet)
        const wrong: string[] = []
        let second = 0
        for (const pause of steps) {
          second += pause
          // Twice: as by another process that knows no more than the rows.
          for (const { id, dueAt, end } of [...step(all, second, fleet), ...step(all, second, fleet)]) {
            if (end ? dueAt !== null : !dueAt || dueAt <= at(second)) wrong.push(`${id} is due at ${dueAt}`)
          }
          const lately = new Map(all.map((rows) => [rows, sentWithin(rows, second - 60, second)]))
          for (const [{ id, pacePerMinute }, sent] of lately) if (sent > pacePerMinute) wrong.push(`${id} is too fast`)
          if (unapproved.reduce((sum, rows) => sum + (lately.get(rows) ?? 0), 0) > limit) wrong.push('too many at once')
          for (const rows of unapproved.filter((each) => sentWithin(each, second - 1, second) > 0)) {
            if ((lately.get(rows) ?? 0) + rows.switchedAlone > limit) wrong.push(`too many of ${rows.id}'s maker`)
          }
        }
        expect(wrong).toEqual([])
      },
    ),
    runs,
  )
})

test('looked at when its steps are due, each ends: all had their turn and their verdict, or too many failed', () => {
  fc.assert(
    fc.property(bulk, (given) => {
      const rows = toRows({ ...given, approved: true }, 1)
      let second = 0
      let next = 0
      while (rows.status === 'running' && next < 86_400) {
        second = next
        const [taken] = step([rows], second, 1_000)
        next = Math.max(second + 1, Math.ceil(((taken?.dueAt?.getTime() ?? 0) - startedAt.getTime()) / 1_000))
      }
      const { judged, failed, open, waiting, stations } = read(rows, second)
      if (rows.status === 'completed') expect([open, waiting.length]).toEqual([0, 0])
      else {
        expect(rows.status).toBe('stopped')
        // Whatever had become of the others of the first ten.
        for (const count of [judged, Math.max(judged, Math.min(10, stations))])
          expect((100 * failed) / count).toBeGreaterThan(rows.stopAbovePercent ?? 100)
      }
    }),
    runs,
  )
})

test.each([
  ['a fifth of five', 5, 1, null],
  ['more than a fifth of five', 5, 2, '2 of 2 failed'],
  ['one of two', 2, 1, '1 of 1 failed'],
  ['two of the first ten of a hundred', 100, 2, null],
  ['three of the first ten of a hundred', 100, 3, '3 of 3 failed'],
])('%s: whether it stops above 20 % is known before all had their turn', (_, stations, failed, reason) => {
  const given = { approved: true, pacePerMinute: 60, jitterSeconds: 0, stopAbovePercent: 20, switchedAlone: 0 }
  const rows = toRows({ ...given, stations, failing: 100 }, 1)
  for (const target of rows.targets.slice(0, failed)) Object.assign(target, { sentAt: 0, verdictAt: 1 })

  const [taken] = step([rows], 1, 1_000)

  expect(taken?.end).toEqual(reason && { status: 'stopped', reason })
})

test('what was not sent when its time is over never is', () => {
  const run = read(
    toRows(
      {
        ...{ approved: true, pacePerMinute: 1, jitterSeconds: 0, stopAbovePercent: null },
        ...{ stations: 5, failing: 0, switchedAlone: 0 },
      },
      1,
    ),
    0,
  )
  const [taken] = planSteps([{ ...run, expiresAt: at(60) }], { now: at(60), fleet: 1_000, unapprovedLately: 0 })
  expect(taken).toEqual({ id: '1', send: [], end: { status: 'expired', reason: null }, dueAt: null })
})
