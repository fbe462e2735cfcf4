import { unapprovedPerMinute } from './limits.js'

/** A running bulk command, as its rows tell it. */
export interface Run {
  id: string
  approved: boolean
  pacePerMinute: number
  startedAt: Date
  expiresAt: Date
  /** Per cent; null: it never stops by itself. */
  stopAbovePercent: number | null
  /** Stations that the share of failures is of at least, unless there are fewer. */
  stopAfter: number
  /** Stations that whoever is behind it switched within the last minute without a bulk command. */
  switchedAlone: number
  /** Sent within the last minute. */
  sentLately: number
  /** That had or have their turn since it was started or resumed last. */
  stations: number
  /** Of these, with a verdict. */
  judged: number
  failed: number
  /** Sent, without a verdict. */
  open: number
  /** Not sent yet, in their order; the first of them are enough. */
  waiting: readonly { stationId: string; offsetMs: number }[]
}

export interface Step {
  id: string
  send: string[]
  /** What it is from now on; null: it goes on. */
  end: { status: 'completed' | 'expired' | 'stopped'; reason: string | null } | null
  /** When to look again. */
  dueAt: Date | null
}

/** Sends of one step; the rest waits for the next. */
export const sendsPerStep = 100
/** While verdicts are awaited. */
const lookMs = 2_000

/**
 * What all running bulk commands may do now. A pace is counted over the last minute, so that one that was held up does not
 * catch up in a burst; what runs without approval shares one limit, however many they are.
 */
export function planSteps(
  runs: readonly Run[],
  { now, fleet, unapprovedLately }: { now: Date; fleet: number; unapprovedLately: number },
): Step[] {
  let left = unapprovedPerMinute(fleet) - unapprovedLately
  return runs.map((run) => {
    const end = endOf(run, now)
    if (end) return { id: run.id, send: [], end, dueAt: null }
    const due = run.waiting.filter(({ offsetMs }) => run.startedAt.getTime() + offsetMs <= now.getTime())
    const unapproved = run.approved ? sendsPerStep : left - run.switchedAlone
    const allowed = Math.min(run.pacePerMinute - run.sentLately, unapproved, sendsPerStep)
    const send = due.slice(0, Math.max(0, allowed)).map(({ stationId }) => stationId)
    if (!run.approved) left -= send.length
    return { id: run.id, send, end: null, dueAt: nextLook(run, send.length, now) }
  })
}

function endOf(run: Run, now: Date): Step['end'] {
  const { waiting, open, stations, judged, failed, stopAbovePercent, stopAfter } = run
  if (waiting.length === 0 && open === 0) return { status: 'completed', reason: null }
  // With few verdicts, as if the next ones were good: one failure stops no large one, and a small one is not over before.
  const percent = (100 * failed) / Math.max(judged, Math.min(stopAfter, stations))
  if (waiting.length > 0 && stopAbovePercent !== null && percent > stopAbovePercent) {
    return { status: 'stopped', reason: `${failed} of ${judged} failed` }
  }
  return waiting.length > 0 && now >= run.expiresAt ? { status: 'expired', reason: null } : null
}

function nextLook({ waiting, startedAt, expiresAt }: Run, sent: number, now: Date): Date {
  const next = waiting[sent]
  const dueMs = next ? startedAt.getTime() + next.offsetMs : Number.POSITIVE_INFINITY
  const times = [now.getTime() + lookMs, Math.max(dueMs, now.getTime() + 1_000), expiresAt.getTime()]
  return new Date(Math.min(...times))
}

/**
 * When each station has its turn after the start: one after the other at the pace, each later by a part of the jitter.
 * @param random 0 to 1, a number a call
 */
export function toOffsets(
  stationIds: readonly string[],
  { pacePerMinute, jitterSeconds }: { pacePerMinute: number; jitterSeconds: number },
  random: () => number,
): { stationId: string; offsetMs: number }[] {
  return stationIds.map((stationId, position) => ({
    stationId,
    offsetMs: Math.floor((position * 60_000) / pacePerMinute + random() * jitterSeconds * 1_000),
  }))
}
