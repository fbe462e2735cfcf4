import { redactUrl } from '@busbar/ocpp'
import type { Vault } from '@busbar/store'
import { z } from 'zod'
import { nullableTime, time, toNullableTime, toTime } from '../schemas.js'

const final = ['accepted', 'rejected', 'error', 'timeout', 'unknown', 'undeliverable', 'expired'] as const
const status = z.enum(['queued', 'dispatched', ...final])

/** Nothing changes a final status but a result that came late. */
export function isFinal(text: string): boolean {
  return final.some((each) => each === text)
}

const receipt = {
  id: z.string(),
  stationId: z.string(),
  action: z.string(),
  status,
  response: z.unknown().describe("The station's whole answer, secrets replaced; null before there is one"),
  error: z.unknown().describe('Why there is none'),
  createdAt: time,
  expiresAt: time,
}
export const CommandReceipt = z.object(receipt).meta({ id: 'CommandReceipt' })

export const Command = z
  .object({
    ...receipt,
    protocol: z.string().nullable().describe('The version it was checked against'),
    payload: z.unknown().describe('Secrets replaced'),
    requestedBy: z.string().describe('Id of an API key, or a service'),
    idempotencyKey: z.string(),
    followUp: z.enum(['none', 'open', 'complete', 'incomplete', 'failed']).describe('Reports, uploads, firmware'),
    calls: z.unknown().describe('One entry per CALL: payload, outcome, times'),
    lateResponse: z.unknown().describe('Came after the verdict, which stays'),
    dispatchedAt: nullableTime.describe('When a gateway took it; null where none did'),
    completedAt: nullableTime,
  })
  .meta({ id: 'Command' })

export interface CommandRow {
  id: string
  stationId: string
  protocol: string | null
  action: string
  payload: unknown
  requestedBy: string
  idempotencyKey: string
  requestHash: string
  status: string
  followUp: string
  calls: unknown
  response: unknown
  lateResponse: unknown
  error: unknown
  createdAt: Date
  expiresAt: Date
  dispatchedAt: Date | null
  completedAt: Date | null
}

export const commandColumns = `id, station_id AS "stationId", protocol, action, payload, requested_by AS "requestedBy",
  idempotency_key AS "idempotencyKey", request_hash AS "requestHash", status, follow_up AS "followUp", calls, response,
  late_response AS "lateResponse", error, created_at AS "createdAt", expires_at AS "expiresAt", dispatched_at AS "dispatchedAt",
  completed_at AS "completedAt"`

type ReceiptParts = Pick<
  CommandRow,
  'id' | 'stationId' | 'action' | 'status' | 'response' | 'error' | 'createdAt' | 'expiresAt'
>

export function toReceipt(parts: ReceiptParts): z.infer<typeof CommandReceipt> {
  return {
    id: parts.id,
    stationId: parts.stationId,
    action: parts.action,
    status: status.parse(parts.status),
    response: parts.response,
    error: parts.error,
    createdAt: toTime(parts.createdAt),
    expiresAt: toTime(parts.expiresAt),
  }
}

export function toCommand(row: CommandRow, vault: Pick<Vault, 'isSealed'>): z.infer<typeof Command> {
  return {
    ...toReceipt(row),
    protocol: row.protocol,
    payload: maskSealed(row.payload, vault),
    requestedBy: row.requestedBy,
    idempotencyKey: row.idempotencyKey,
    followUp: Command.shape.followUp.parse(row.followUp),
    calls: maskSealed(row.calls, vault),
    lateResponse: row.lateResponse,
    dispatchedAt: toNullableTime(row.dispatchedAt),
    completedAt: toNullableTime(row.completedAt),
  }
}

/** A sealed value opens nothing without the master secret, and still is nobody's to read. */
export function maskSealed(value: unknown, vault: Pick<Vault, 'isSealed'>): unknown {
  if (typeof value === 'string') return vault.isSealed(value) ? '***' : redactUrl(value)
  if (Array.isArray(value)) return value.map((each) => maskSealed(each, vault))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, maskSealed(each, vault)]))
}
