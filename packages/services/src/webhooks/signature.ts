import { createHmac, randomBytes } from 'node:crypto'

const prefix = 'whsec_'

/** @returns `whsec_` and base64 of 32 random bytes */
export function createWebhookSecret(): string {
  return prefix + randomBytes(32).toString('base64')
}

/**
 * The headers that prove where a message comes from, and that it was not changed.
 * @param secrets the one in force, and while it is being changed the one before: the receiver knows either
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signedHeaders(
  message: { id: string; at: Date; body: Buffer },
  secrets: readonly string[],
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const timestamp = String(Math.floor(message.at.getTime() / 1_000))
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(prefix.length), 'base64')
    const digest = createHmac('sha256', key).update(`${message.id}.${timestamp}.`).update(message.body).digest('base64')
    return `v1,${digest}`
  })
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
