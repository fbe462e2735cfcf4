import { newId, type Sql, sql, type Vault } from '@busbar/store'
import type { Egress } from './egress.js'
import { deliveryMs } from './part.js'
import { createWebhookSecret } from './signature.js'

/** The API's side of the webhooks: what it may not write itself. */
export interface WebhookIntake {
  /** @returns what the address would have to be, in words for its owner; null for one that may be called */
  findFault(url: string): string | null
  /** Told once; kept sealed. */
  createSecret(): { secret: string; sealed: string }
  /** Makes one row exactly where there is such a delivery: it is due now, and for a day. */
  resend(webhookId: string, deliveryId: string): Sql
  /** An event that happened to nobody, for this webhook alone. */
  test(webhookId: string): { deliveryId: string; statement: Sql }
}

const resendDelivery = sql(`
  UPDATE webhook_delivery SET status = 'pending', due_at = $3, expires_at = $4
  WHERE webhook_id = $1 AND id = $2 RETURNING id`)

const insertTest = sql(`
  INSERT INTO webhook_delivery (id, webhook_id, event_id, event_type, body, status, created_at, due_at, expires_at)
  VALUES ($1, $2, $3, $4, $5, 'pending', $6, $6, $7)`)

const testType = 'busbar.webhook.test.v1'

export function createWebhookIntake({ vault, egress }: { vault: Vault; egress: Egress }): WebhookIntake {
  const times = () => {
    const now = new Date()
    return { now: now.toISOString(), expiresAt: new Date(now.getTime() + deliveryMs).toISOString() }
  }
  return {
    findFault: (url) => egress.findFault(url),
    createSecret: () => {
      const secret = createWebhookSecret()
      return { secret, sealed: vault.seal(secret) }
    },
    resend: (webhookId, deliveryId) => {
      const { now, expiresAt } = times()
      return resendDelivery(webhookId, deliveryId, now, expiresAt)
    },
    test: (webhookId) => {
      const { now, expiresAt } = times()
      const deliveryId = newId()
      const event = {
        specversion: '1.0',
        id: newId(),
        source: '/busbar/webhooks',
        type: testType,
        subject: `webhook/${webhookId}`,
        time: now,
        datacontenttype: 'application/json',
        data: { webhookId },
      }
      const body = Buffer.from(JSON.stringify(event))
      return { deliveryId, statement: insertTest(deliveryId, webhookId, event.id, testType, body, now, expiresAt) }
    },
  }
}
