import type { Topics } from '@busbar/backbone'
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
      /** What `record` writes. */
      row: RequestedRow
    }
  /** Paths are JSON pointers into the payload. */
  | { kind: 'invalid'; problems: { path: string; message: string }[] }

export interface CommandIntake {
  prepare(request: IntakeRequest): Intake
  /**
   * Row, audit entry and outbox record of each command. Nothing happens where the key was used before; gives back the ids
   * of the commands that are new.
   */
  record(commands: readonly { row: RequestedRow }[]): Sql
}

type RequestedRow = Parameters<typeof insertRequested>[0][number]

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
      const row = { ...command, actor: request.actor, topic: deps.backbone.topics.commands, record: toRecord(command) }
      return { kind: 'ok', id, requestHash, createdAt, expiresAt, row }
    },
    record: (commands) => insertRequested(commands.map(({ row }) => row)),
  }
}

/** The topic's value, as an internal service would write it, and the id of the row it stands for. */
function toRecord({ id, stationId, action, payload, idempotencyKey, requestedBy, expiresAt }: Command): Buffer {
  return Buffer.from(
    JSON.stringify({ commandId: id, stationId, action, payload, idempotencyKey, requestedBy, expiresAt }),
  )
}
