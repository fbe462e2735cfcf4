import { sharedMetric } from '@busbar/backbone'
import { type Sql, UnavailableError } from '@busbar/store'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Ports } from '../pipeline/service.js'
import type { Egress } from './egress.js'
import { nextAttemptAt } from './next-attempt.js'
import { webhookJob } from './part.js'
import { type Posted, post } from './post.js'
import { signedHeaders } from './signature.js'
import { claimDeliveries, noteFailure, noteSuccess, recordAttempt, selectTargets, watchFailure } from './statements.js'

export interface WebhookSenderOptions {
  egress: Egress
  /** Of one attempt, from the look-up of its address to the head of the answer. */
  timeoutMs: number
  /** As of the part. */
  disableAfterMs: number
}

interface Target {
  id: string
  url: string
  /** Sealed. */
  secret: string
  previousSecret: string | null
  failingSince: Date | null
}

interface Claimed {
  id: string
  webhookId: string
  eventId: string
  body: Buffer
  expiresAt: Date
  /** Made before. */
  attempts: number
}

const sweepMs = 1_000
const atOnce = 64
const atOncePerWebhook = 8
/** Beyond its own time, before somebody else takes a delivery up whose sender is gone. */
const graceMs = 10_000

/**
 * Makes the attempts that are due, outside of any batch: each second, and when poked. Workers share them: a claim moves the
 * row, so a delivery whose worker died in its midst is due again after the attempt's time. At least once, in no order; the
 * event's id (`webhook-id`) tells repeats. One webhook has 8 attempts under way, one that fails 1.
 */
export class WebhookSender {
  readonly #ports: Pick<Ports, 'database' | 'vault' | 'log'>
  readonly #options: WebhookSenderOptions
  readonly #metrics: ReturnType<typeof senderMetrics>
  /** By webhook. */
  readonly #underWay = new Map<string, number>()
  readonly #attempts = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #state: 'idle' | 'looking' | 'poked' | 'stopped' = 'idle'
  #looking: Promise<void> = Promise.resolve()

  constructor(ports: Pick<Ports, 'database' | 'vault' | 'log' | 'metrics'>, options: WebhookSenderOptions) {
    this.#ports = ports
    this.#options = options
    this.#metrics = senderMetrics(ports.metrics)
    for (const outcome of ['delivered', 'failed', 'given-up']) this.#metrics.attempts.inc({ outcome }, 0)
    this.#timer = setInterval(() => this.poke(), sweepMs)
  }

  poke(): void {
    if (this.#state === 'looking') this.#state = 'poked'
    if (this.#state === 'idle') this.#looking = this.#look()
  }

  /** What is under way ends first, which its time bounds. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#state = 'stopped'
    await this.#looking
    await Promise.all(this.#attempts)
  }

  async #look(): Promise<void> {
    do {
      this.#state = 'looking'
      try {
        await this.#claim()
      } catch (cause) {
        this.#ports.log.warn({ err: cause }, 'webhooks wait for the next sweep')
      }
    } while (this.#isPoked())
    if (this.#state === 'looking') this.#state = 'idle'
  }

  // A method, because the compiler takes the state for unchanged across an await.
  #isPoked(): boolean {
    return this.#state === 'poked'
  }

  async #claim(): Promise<void> {
    const { database } = this.#ports
    const targets = await database.query<Target>(selectTargets())
    let left = atOnce - this.#attempts.size
    const free = targets.flatMap(({ id, failingSince }) => {
      const slots = Math.min(left, (failingSince ? 1 : atOncePerWebhook) - (this.#underWay.get(id) ?? 0))
      left -= Math.max(0, slots)
      return slots > 0 ? [{ id, slots }] : []
    })
    if (free.length === 0) return
    const claimed = await database.query<Claimed>(
      claimDeliveries(
        free.map(({ id }) => id),
        free.map(({ slots }) => slots),
        this.#options.timeoutMs + graceMs,
      ),
    )
    const byId = new Map(targets.map((target) => [target.id, target]))
    for (const delivery of claimed) {
      const target = byId.get(delivery.webhookId)
      if (target) this.#begin(delivery, target)
    }
  }

  #begin(delivery: Claimed, target: Target): void {
    this.#underWay.set(target.id, (this.#underWay.get(target.id) ?? 0) + 1)
    const attempt = this.#attempt(delivery, target)
      .catch((cause: unknown) => {
        const level = cause instanceof UnavailableError ? 'warn' : 'error'
        this.#ports.log[level]({ err: cause, delivery: delivery.id }, 'an attempt is not recorded: it is made again')
      })
      .finally(() => {
        this.#attempts.delete(attempt)
        const others = (this.#underWay.get(target.id) ?? 1) - 1
        if (others > 0) this.#underWay.set(target.id, others)
        else this.#underWay.delete(target.id)
        this.poke()
      })
    this.#attempts.add(attempt)
  }

  async #attempt(delivery: Claimed, target: Target): Promise<void> {
    const { vault, database } = this.#ports
    const at = new Date()
    const secrets = [target.secret, target.previousSecret].flatMap((secret) => (secret ? [vault.open(secret)] : []))
    const headers = {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'user-agent': 'Busbar',
      ...signedHeaders({ id: delivery.eventId, at, body: delivery.body }, secrets),
    }
    const startedAt = performance.now()
    const posted = await post(target.url, { headers, body: delivery.body }, this.#options)
    const durationMs = Math.round(performance.now() - startedAt)
    this.#metrics.seconds.observe(durationMs / 1_000)
    await database.commit(this.#toStatements(delivery, { at, durationMs, ...posted }))
  }

  #toStatements(delivery: Claimed, { retryAfterMs, ...attempt }: Posted & { at: Date; durationMs: number }): Sql[] {
    const { id, webhookId, attempts, expiresAt } = delivery
    const now = new Date()
    const log = JSON.stringify([attempt])
    if (attempt.error === null) {
      this.#metrics.attempts.inc({ outcome: 'delivered' })
      return [recordAttempt(id, log, 'delivered', null, now.toISOString()), noteSuccess(webhookId)]
    }
    const next = nextAttemptAt(attempts + 1, { now, expiresAt, random: Math.random(), retryAfterMs })
    this.#metrics.attempts.inc({ outcome: next ? 'failed' : 'given-up' })
    return [
      recordAttempt(id, log, next ? 'pending' : 'failed', next?.toISOString() ?? null, null),
      noteFailure(webhookId, attempt.at.toISOString()),
      watchFailure(webhookId, webhookJob, this.#options.disableAfterMs),
    ]
  }
}

function senderMetrics(registry: Registry) {
  const attempts = 'busbar_webhook_attempts_total'
  const seconds = 'busbar_webhook_attempt_seconds'
  return {
    attempts: sharedMetric(
      registry,
      attempts,
      () =>
        new Counter({
          name: attempts,
          help: 'Attempts to deliver an event, by outcome: delivered, failed, given-up',
          labelNames: ['outcome'],
          registers: [registry],
        }),
    ),
    seconds: sharedMetric(
      registry,
      seconds,
      () =>
        new Histogram({
          name: seconds,
          help: 'Until a webhook answered or was given up',
          buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
          registers: [registry],
        }),
    ),
  }
}
