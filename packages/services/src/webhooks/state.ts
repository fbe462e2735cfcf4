import type { Sql } from '@busbar/store'
import { disableWebhooks, forgetFailures, insertDeliveries } from './statements.js'

/** A webhook that gets events now. */
export interface Subscription {
  id: string
  /** Types, or beginnings of types that end in `.*`; empty is all. */
  eventTypes: readonly string[]
  enabledAt: Date
}

/** How a webhook fares. */
export interface Standing {
  id: string
  /** Null for one that the operator deleted. */
  name: string | null
  enabledAt: Date | null
  failingSince: Date | null
  disabledAt: Date | null
}

export interface NewDelivery {
  id: string
  webhookId: string
  eventId: string
  eventType: string
  body: Buffer
  status: 'pending'
  createdAt: Date
  expiresAt: Date
  dueAt: Date
}

export class WebhooksState {
  readonly subscriptions: readonly Subscription[]
  readonly #standings: Map<string, Standing>
  readonly #deliveries: NewDelivery[] = []
  #disabledAt: Date | null = null
  readonly #disabled = new Set<string>()
  readonly #forgotten = new Set<string>()

  constructor(subscriptions: readonly Subscription[] = [], standings: readonly Standing[] = []) {
    this.subscriptions = subscriptions
    this.#standings = new Map(standings.map((each) => [each.id, each]))
  }

  get deliveries(): readonly NewDelivery[] {
    return this.#deliveries
  }

  standing(id: string): Readonly<Standing> | undefined {
    return this.#standings.get(id)
  }

  add(delivery: NewDelivery): void {
    this.#deliveries.push(delivery)
  }

  disable(standing: Readonly<Standing>, now: Date): void {
    this.#standings.set(standing.id, { ...standing, disabledAt: now })
    this.#disabled.add(standing.id)
    this.#disabledAt = now
  }

  /** It begins anew, or is gone. */
  forget(standing: Readonly<Standing>): void {
    this.#standings.set(standing.id, { ...standing, failingSince: null, disabledAt: null })
    this.#forgotten.add(standing.id)
  }

  save(): Sql[] {
    return [
      ...(this.#deliveries.length > 0 ? [insertDeliveries(this.#deliveries)] : []),
      ...(this.#disabledAt ? [disableWebhooks([...this.#disabled], this.#disabledAt.toISOString())] : []),
      ...(this.#forgotten.size > 0 ? [forgetFailures([...this.#forgotten])] : []),
    ]
  }
}
