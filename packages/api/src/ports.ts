import type { Backbone } from '@busbar/backbone'
import type { FileStore } from '@busbar/files'
import type { Payload, Protocol } from '@busbar/ocpp'
import type { Database, Sql, Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { OidcConfig } from './oidc.js'

/** Everything the API leans on, made once by the composition root. */
export interface ApiPorts {
  database: Database
  backbone: Pick<Backbone, 'channels' | 'topics'> & {
    log: Pick<Backbone['log'], 'tail'>
    outbox: Pick<Backbone['outbox'], 'startApiSender'>
    ownership: Pick<Backbone['ownership'], 'find'>
  }
  vault: Pick<
    Vault,
    | 'hashPassword'
    | 'hashForeignPassword'
    | 'generatePassword'
    | 'isSealed'
    | 'open'
    | 'seal'
    | 'sign'
    | 'verifyPassword'
    | 'isSigned'
    | 'link'
  >
  files: FileStore
  commands: CommandIntake
  transactionRequests: TransactionIntake
  webhooks: WebhookIntake
  /**
   * Brings records back to the services that could not decide them, through the outbox of the API.
   * @param toStatements of the same commit, the audit entries
   * @returns the ids of those that go; not unknown and not discarded ones
   */
  replayDeadLetters: (
    ids: readonly string[],
    toStatements: (ids: readonly string[]) => readonly Sql[],
  ) => Promise<string[]>
  /** The AsyncAPI document of what travels on the log. */
  asyncApi: object
  log: Logger
  metrics: Registry
  /** What this process needs to do its work, by name; the database alone when not given. */
  ready?: () => Promise<Record<string, boolean>>
}

/** The side of the transactions service that takes operators' requests. */
export interface TransactionIntake {
  prepare(request: TransactionRequest): PreparedTransactionRequest
}

export interface TransactionRequest {
  transactionId: string
  stationId: string
  kind: 'close' | 'correct'
  /** Times as ISO 8601 in UTC; what is not named stays. */
  content: { startedAt?: string; endedAt?: string; energyWh?: number }
  reason: string
  /** As the audit log names who asked. */
  actor: string
  idempotencyKey: string
  /** Id of the API key; idempotency keys are unique within it. */
  requestedBy: string
}

export interface PreparedTransactionRequest {
  id: string
  /** Tells a repeated request from another one under the same key. */
  requestHash: string
  /** Row and outbox record. Nothing happens when the key was used before; returns a row when the request is new. */
  statement: Sql
}

/** The side of the commands service that takes requests. It stands beside the API, so it comes as a port. */
export interface CommandIntake {
  prepare(request: CommandRequest): PreparedCommand | Promise<PreparedCommand>
  /**
   * Command row, audit entry and outbox record of each. Nothing happens where `requestedBy` used the idempotency key before;
   * gives back the ids of the commands that are new.
   */
  record(commands: readonly RecordableCommand[]): Sql
}

/** The side of service notifications that the API stands on; it comes as a port as well. */
export interface WebhookIntake {
  /** @returns what the address would have to be, in words for its owner; null for one that may be called */
  findFault(url: string): string | null
  /** Told once; kept sealed. */
  createSecret(): { secret: string; sealed: string }
  /** Gives back one row exactly where there is such a delivery. */
  resend(webhookId: string, deliveryId: string): Sql
  /** An event that happened to nobody, for this webhook alone. */
  test(webhookId: string): { deliveryId: string; statement: Sql }
}

export interface CommandRequest {
  stationId: string
  /** The version the station speaks; the payload is checked against its schema. */
  protocol: Protocol
  action: string
  payload: Payload
  /** What a repeated request is known by, where the payload would differ: a time, a fresh address. Default: the payload. */
  identity?: Payload
  idempotencyKey: string
  /** Id of the API key; idempotency keys are unique within it. */
  requestedBy: string
  /** For the audit entry. */
  actor: string
  /** Without one the intake takes its default. */
  expiresAt?: Date
}

export interface RecordableCommand {
  kind: 'ok'
  id: string
  /** Of station, action and payload: tells a repeated request from another one under the same key. */
  requestHash: string
  createdAt: Date
  expiresAt: Date
  /** For `record`. */
  row: object
}

export type PreparedCommand =
  | RecordableCommand
  | {
      kind: 'invalid'
      /** Paths are JSON pointers into the payload; '' for a wrong action. */
      problems: readonly { path: string; message: string }[]
    }

export interface ApiConfig {
  host: string
  /** 0 picks a free one. */
  port: number
  /** For a whole request to arrive. */
  requestTimeoutMs: number
  /** The same where the request is a file. */
  fileTimeoutMs: number
  /** Where stations reach this API; null: under the host and port it listens on. */
  filesUrl: string | null
  /** Of what stations send. */
  maxUploadBytes: number
  maxFirmwareBytes: number
  /** How long the address of a file is good, from when it is needed first. */
  fileAddressHours: number
  /** Commands may be larger: a local list, a certificate chain. */
  maxBodyBytes: number
  requestsPerMinutePerKey: number
  /** Refused keys, per address. */
  failuresPerMinutePerAddress: number
  keyCacheMs: number
  /** Events kept for clients that come back. */
  eventRingSize: number
  eventHeartbeatMs: number
  maxEventStreams: number
  /** Addresses or networks whose X-Forwarded-For is believed. */
  trustedProxies: string[]
  /** Whose access tokens count beside API keys; null: nobody's. */
  oidc: OidcConfig | null
  /** O of station certificates; null where none is set. */
  operatorName: string | null
  /** Whether stations can come in over TLS. */
  hasSecureListener: boolean
}

export const apiDefaults = {
  host: '127.0.0.1',
  port: 8080,
  requestTimeoutMs: 30_000,
  fileTimeoutMs: 3_600_000,
  filesUrl: null,
  maxUploadBytes: 256 * 1024 * 1024,
  maxFirmwareBytes: 1024 * 1024 * 1024,
  fileAddressHours: 72,
  maxBodyBytes: 1_048_576,
  requestsPerMinutePerKey: 12_000,
  failuresPerMinutePerAddress: 60,
  keyCacheMs: 5_000,
  eventRingSize: 10_000,
  eventHeartbeatMs: 15_000,
  maxEventStreams: 1_000,
  trustedProxies: [],
  oidc: null,
  operatorName: null,
  hasSecureListener: false,
} satisfies ApiConfig
