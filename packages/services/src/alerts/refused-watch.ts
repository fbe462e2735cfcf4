import { askGateways, type OutgoingRecord, type RefusedAttempt, type Topics } from '@busbar/backbone'
import { sql, UnavailableError } from '@busbar/store'
import type { Ports } from '../pipeline/service.js'
import { refusedType } from './part.js'

const watchIntervalMs = 30_000

/**
 * What says something about a station that is ours, or about somebody who wants to pass for it. One is throttled after
 * failures; it is the reason where the gateway has forgotten these, as the station itself came in since.
 */
const tellingReasons = /^(credentials|profile|certificate-.+|throttled)$/

const selectRegistered = sql('SELECT id FROM station WHERE id = ANY($1)')

/**
 * Asks gateways whom they turned away and tells service notifications of stations that are registered. Gateways store
 * nothing for a caller that has not proved itself; so what can come of its attempts is one alert a station, and one
 * record in 30 s, however often and from wherever it tries.
 *
 * Each worker that runs the service watches; that several tell the same changes nothing.
 */
export function startRefusedWatch(
  { database, backbone, log, clock = () => new Date() }: Pick<Ports, 'database' | 'backbone' | 'log' | 'clock'>,
  intervalMs = watchIntervalMs,
): { stop(): Promise<void> } {
  const closing = new AbortController()
  /** `lastAt` by station, as told. */
  let told = new Map<string, string>()
  let work: Promise<void> | null = null

  async function watch(): Promise<void> {
    try {
      const { answers } = await askGateways(backbone.channels, closing.signal)
      const attempts = merge([...answers.values()].flat())
      const ids = [...attempts.keys()].filter((id) => told.get(id) !== attempts.get(id)?.lastAt)
      const rows = ids.length === 0 ? [] : await database.query<{ id: string }>(selectRegistered(ids))
      const news = rows.flatMap(({ id }) => attempts.get(id) ?? [])
      await Promise.all(news.map((each) => backbone.log.append(toRecord(each, backbone.topics, clock()))))
      told = new Map([...attempts.values()].map(({ stationId, lastAt }) => [stationId, lastAt]))
    } catch (cause) {
      if (cause instanceof UnavailableError) log.warn({ err: cause }, 'refused upgrades wait')
      else log.error({ err: cause }, 'refused upgrades wait')
    }
  }

  const timer = setInterval(() => {
    work ??= watch().finally(() => {
      work = null
    })
  }, intervalMs)
  return {
    stop: async () => {
      clearInterval(timer)
      closing.abort()
      await work
    },
  }
}

/** What several gateways know of one station: counts added, the last word of the latest. */
function merge(attempts: readonly RefusedAttempt[]): Map<string, RefusedAttempt> {
  const merged = new Map<string, RefusedAttempt>()
  for (const attempt of attempts) {
    if (!tellingReasons.test(attempt.reason)) continue
    const known = merged.get(attempt.stationId)
    const later = known && known.lastAt > attempt.lastAt ? known : attempt
    merged.set(attempt.stationId, { ...later, count: attempt.count + (known?.count ?? 0) })
  }
  return merged
}

function toRecord({ stationId, reason, count, lastAt }: RefusedAttempt, topics: Topics, now: Date): OutgoingRecord {
  return {
    topic: topics.lane('notifications'),
    key: stationId,
    value: JSON.stringify({ reason, count, lastAt }),
    headers: { type: refusedType, station: stationId, receivedAt: now.toISOString() },
  }
}
