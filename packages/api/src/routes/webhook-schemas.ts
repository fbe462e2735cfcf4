import type { WebhookDelivery as DeliveryRow, WebhookState as StateRow, Webhook as WebhookRow } from '@busbar/store'
import { z } from 'zod'
import { nullableTime, text, time, toNullableTime, toTime } from '../schemas.js'

const eventType = z
  .string()
  .regex(/^busbar(\.[a-z0-9-]+)*\.(v\d+|\*)$/, 'the type of an event, or its beginning and .*')
  .describe('`busbar.transaction.ended.v1`, or `busbar.transaction.*` for all that begin so')

const changeable = {
  name: text(200),
  url: z.url().max(2_000).describe('Redirects are not followed; only what BUSBAR_WEBHOOK_ALLOW names is called'),
  eventTypes: z.array(eventType).max(100).optional().describe('None is all'),
  enabled: z.boolean().optional().describe('True also switches on again what was given up after long failure'),
}
const example = {
  name: 'billing',
  url: 'https://hooks.example.com/busbar',
  eventTypes: ['busbar.transaction.*', 'busbar.alert.raised.v1'],
}
export const WebhookDraft = z.strictObject(changeable).meta({ examples: [example] })
export const WebhookChange = z
  .strictObject(changeable)
  .partial()
  .meta({ examples: [{ enabled: true }] })

export const SecretChange = z
  .strictObject({
    previousValidHours: z
      .int()
      .min(0)
      .max(168)
      .default(24)
      .describe('So long the secret before it signs as well; 0 when it is known to others'),
  })
  .meta({ examples: [{ previousValidHours: 24 }] })

export const Webhook = z
  .object({
    id: z.string(),
    name: z.string(),
    url: z.string(),
    eventTypes: z.array(z.string()),
    enabled: z.boolean(),
    state: z
      .enum(['active', 'failing', 'disabled', 'off'])
      .describe('`disabled`: given up after long failure, until it is switched on again; `off`: by the operator'),
    failingSince: nullableTime.describe('Of the failures in a row that it is in the midst of, the first'),
    previousSecretUntil: nullableTime.describe('Until then each delivery carries two signatures'),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Webhook' })

const secret = z
  .string()
  .describe('`whsec_` and base64; shown this once. See standardwebhooks.com for how to check signatures')
export const CreatedWebhook = Webhook.extend({ secret }).meta({ id: 'CreatedWebhook' })

export const deliveryStatus = z
  .enum(['pending', 'delivered', 'failed'])
  .describe('`pending`: an attempt is to come; `failed`: none within its 24 hours succeeded')

const delivery = {
  id: z.string(),
  eventId: z.string().describe('As sent in `webhook-id`'),
  eventType: z.string(),
  status: deliveryStatus,
  attemptCount: z.int(),
  lastAttemptAt: nullableTime,
  lastStatus: z.int().nullable().describe('Of HTTP; null where there was no answer'),
  createdAt: time,
  nextAttemptAt: nullableTime,
  deliveredAt: nullableTime,
}
export const Delivery = z.object(delivery).meta({ id: 'WebhookDelivery' })
export const WholeDelivery = z
  .object({
    ...delivery,
    attempts: z.array(
      z.object({
        at: time,
        durationMs: z.int().describe('Until the head of the answer'),
        status: z.int().nullable(),
        error: z.string().nullable(),
      }),
    ),
    body: z.string().describe('As it is sent'),
  })
  .meta({ id: 'WholeWebhookDelivery' })

export function toWebhook(row: WebhookRow, state: StateRow | null): z.infer<typeof Webhook> {
  const { id, name, url, eventTypes, enabled, previousSecretUntil } = row
  const isRotating = previousSecretUntil !== null && previousSecretUntil > new Date()
  return {
    id,
    name,
    url,
    eventTypes,
    enabled,
    state: stateOf(row, state),
    failingSince: isDisabled(row, state) || !enabled ? null : toNullableTime(state?.failingSince ?? null),
    previousSecretUntil: isRotating ? toTime(previousSecretUntil) : null,
    createdAt: toTime(row.createdAt),
    updatedAt: toTime(row.updatedAt),
  }
}

/** Given up by the service since the operator last switched it on. */
export function isDisabled({ enabledAt }: WebhookRow, state: StateRow | null): boolean {
  return state?.disabledAt != null && state.disabledAt >= enabledAt
}

export function stateOf(row: WebhookRow, state: StateRow | null) {
  if (!row.enabled) return 'off'
  if (isDisabled(row, state)) return 'disabled'
  return state?.failingSince ? 'failing' : 'active'
}

const Attempts = z.array(
  z.object({ at: z.string(), durationMs: z.number(), status: z.number().nullable(), error: z.string().nullable() }),
)

export function toDelivery(row: DeliveryRow): z.infer<typeof Delivery> {
  const attempts = Attempts.parse(row.attempts)
  const last = attempts.at(-1)
  return {
    id: row.id,
    eventId: row.eventId,
    eventType: row.eventType,
    status: deliveryStatus.parse(row.status),
    attemptCount: attempts.length,
    lastAttemptAt: last?.at ?? null,
    lastStatus: last?.status ?? null,
    createdAt: toTime(row.createdAt),
    nextAttemptAt: toNullableTime(row.dueAt),
    deliveredAt: toNullableTime(row.deliveredAt),
  }
}

export function toWholeDelivery(row: DeliveryRow): z.infer<typeof WholeDelivery> {
  return { ...toDelivery(row), attempts: Attempts.parse(row.attempts), body: Buffer.from(row.body).toString('utf8') }
}
