import { apiSource, type Topics } from '@busbar/backbone'
import type { Payload, Protocol } from '@busbar/ocpp'
import { newId, type Sql, type Vault } from '@busbar/store'
import type { Command } from './command.js'
import { prepareCommand } from './request.js'
import { insertRequested } from './statements.js'

/** What an API caller asks for. */
export interface IntakeRequest {
  stationId: string
  /** The version the station speaks, or spoke last. */
  protocol: Protocol
  action: string
  /** In clear. */
  payload: Payload
  /** What a repeated request is known by, where the payload would differ: a time, a fresh address. Default: the payload. */
  identity?: Payload
  idempotencyKey: string
  /** Idempotency keys are unique within it. */
  requestedBy: string
  /** For the audit entry. */
  actor: string
  /** Default: in 45 s. */
  expiresAt?: Date
}

export type Intake =
  | {
      kind: 'ok'
      id: string
      /** Of station, action and payload: tells a repeated request from another one under the same key. */
      requestHash: string
      createdAt: Date
      expiresAt: Date
      /** For one commit. Nothing happens when the key was used before; the first returns a row when the command is new. */
      statements: Sql[]
    }
  /** Paths are JSON pointers into the payload. */
  | { kind: 'invalid'; problems: { path: string; message: string }[] }

export interface CommandIntake {
  prepare(request: IntakeRequest): Intake
}

/**
 * The API's side of the commands service: checks requests and makes the statements that record them. The record that
 * wakes the service leaves with the API's outbox.
 */
export function createCommandIntake(deps: {
  vault: Vault
  backbone: { topics: Pick<Topics, 'commands'> }
  clock?: () => Date
}): CommandIntake {
  const now = deps.clock ?? (() => new Date())
  return {
    prepare: (request) => {
      const prepared = prepareCommand(request, request.protocol, deps.vault, { id: newId(), now: now() })
      if (prepared.kind === 'invalid') return { kind: 'invalid', problems: prepared.violations }
      const { command } = prepared
      const { id, requestHash, createdAt, expiresAt } = command
      const statements = [commandStatement(command, request.actor, deps.backbone.topics.commands)]
      return { kind: 'ok', id, requestHash, createdAt, expiresAt, statements }
    },
  }
}

function commandStatement(command: Command, actor: string, topic: string): Sql {
  const { id, stationId, protocol, action, requestedBy, idempotencyKey, requestHash, createdAt, expiresAt } = command
  const payload = JSON.stringify(command.payload)
  const record = { commandId: id, stationId, action, payload: command.payload, idempotencyKey, requestedBy, expiresAt }
  return insertRequested(
    id,
    stationId,
    protocol,
    action,
    payload,
    requestedBy,
    idempotencyKey,
    requestHash,
    createdAt.toISOString(),
    expiresAt.toISOString(),
    actor,
    JSON.stringify({ commandId: id, action }),
    apiSource,
    topic,
    Buffer.from(JSON.stringify(record)),
  )
}
