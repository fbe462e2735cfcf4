import { createHash } from 'node:crypto'
import { apiSource, type Topics } from '@busbar/backbone'
import { newId, type Sql, sql } from '@busbar/store'
import { type OperatorRequest, operatorRequestType } from './request.js'

/** What an API caller decides. */
export interface TransactionRequest extends Omit<OperatorRequest, 'id'> {
  stationId: string
  idempotencyKey: string
  /** Idempotency keys are unique within it. */
  requestedBy: string
}

export interface PreparedTransactionRequest {
  id: string
  /** Tells a repeated request from another one under the same key. */
  requestHash: string
  /** Nothing happens when the key was used before; returns a row when the request is new. */
  statement: Sql
}

export interface TransactionIntake {
  prepare(request: TransactionRequest): PreparedTransactionRequest
}

const insertRequest = sql(`
  WITH request AS (
    INSERT INTO transaction_request (id, transaction_id, station_id, kind, content, reason, actor, requested_by,
      idempotency_key, request_hash, created_at)
    VALUES ($1::uuid, $2::uuid, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, $11::timestamptz)
    ON CONFLICT (requested_by, idempotency_key) DO NOTHING RETURNING id
  ), sent AS (
    INSERT INTO outbox (source, topic, key, value, headers)
    SELECT $12, $13, $3, $14, $15::jsonb FROM request
  )
  SELECT id FROM request`)

/**
 * The API's side: makes the statement that writes a request down and sends it to whoever owns the station's partition. It
 * alone changes transactions, so a request cannot cross a message of the station.
 */
export function createTransactionIntake({ topics }: { topics: Pick<Topics, 'lane'> }): TransactionIntake {
  return {
    prepare: ({ stationId, idempotencyKey, requestedBy, ...rest }) => {
      const id = newId()
      const { transactionId, kind, content, reason, actor } = rest
      const requestHash = createHash('sha256')
        .update(JSON.stringify([transactionId, kind, content, reason]))
        .digest('hex')
      const createdAt = new Date().toISOString()
      const record: OperatorRequest = { id, ...rest }
      const headers = { type: operatorRequestType, station: stationId, receivedAt: createdAt }
      const request = [id, transactionId, stationId, kind, JSON.stringify(content), reason, actor, requestedBy]
      const statement = insertRequest(
        ...request,
        idempotencyKey,
        requestHash,
        createdAt,
        apiSource,
        topics.lane('transactions'),
        Buffer.from(JSON.stringify(record)),
        JSON.stringify(headers),
      )
      return { id, requestHash, statement }
    },
  }
}
