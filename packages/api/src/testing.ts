import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  type ChannelListener,
  type ChannelMessage,
  type LogRecord,
  type TailOptions,
  topicNames,
} from '@busbar/backbone'
import { openLocalFileStore } from '@busbar/files'
import { findAction } from '@busbar/ocpp'
import { createTestDatabase, type Database, newId, overRows, Vault } from '@busbar/store'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { type Role, roles } from './access.js'
import type { Api } from './api.js'
import { createApiKey } from './api-keys.js'
import { buildApi } from './app.js'
import {
  type ApiConfig,
  type ApiPorts,
  apiDefaults,
  type CommandIntake,
  type CommandRequest,
  type PreparedCommand,
  type TransactionIntake,
  type WebhookIntake,
} from './ports.js'

/** The API on a real database, with a message path of a few lines. */
export interface TestApi {
  app: Api
  database: Database
  /** Of the database. */
  url: string
  keys: Record<Role, string>
  channels: FakeChannels
  metrics: Registry
  /** Versions of stations that are connected, by id. */
  connected: Map<string, string>
  /** How often the outbox was poked. */
  pokes(): number
  replayed: string[]
  /** As if these records had been appended to the topic of events. */
  publishEvents(records: readonly Partial<LogRecord>[]): void
  request(role: Role, options: InjectOptions): Promise<LightMyRequestResponse>
  stop(): Promise<void>
}

export async function startTestApi(
  options: { config?: Partial<ApiConfig>; ports?: Partial<ApiPorts> } = {},
): Promise<TestApi> {
  const { database, url, drop } = await createTestDatabase()
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-api-'))
  const channels = new FakeChannels()
  const metrics = new Registry()
  const connected = new Map<string, string>()
  const replayed: string[] = []
  let pokes = 0
  let onRecords: TailOptions['onRecords'] = () => {}
  const ports: ApiPorts = {
    database,
    backbone: {
      topics: topicNames('test'),
      channels,
      ownership: {
        find: async (stationId) => {
          const protocol = connected.get(stationId)
          return protocol === undefined ? null : { connectionId: 'connection-1', protocol }
        },
      },
      outbox: {
        startApiSender: () => ({
          poke: () => {
            pokes += 1
          },
          stop: async () => {},
        }),
      },
      log: {
        tail: async (tail) => {
          onRecords = tail.onRecords
          tail.onBegun?.([0, 1].map((partition) => ({ topic: 'test.events', partition, next: 0n })))
          return { stop: async () => {} }
        },
      },
    },
    vault: new Vault('a test secret'),
    files: openLocalFileStore({ folder }),
    commands: fakeIntake,
    transactionRequests: fakeTransactionIntake,
    webhooks: fakeWebhooks,
    replayDeadLetters: async (ids, toStatements) => {
      const marked = await database.prisma.deadLetter.updateManyAndReturn({
        where: { id: { in: [...ids] }, discardedAt: null },
        data: { replayedAt: new Date() },
      })
      const going = marked.map(({ id }) => id)
      if (going.length > 0) await database.commit(toStatements(going))
      replayed.push(...going)
      return going
    },
    asyncApi: { asyncapi: '3.0.0' },
    log: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    metrics,
    ...options.ports,
  }
  const app = await buildApi({ ...apiDefaults, ...options.config }, ports)
  const keys = {} as Record<Role, string>
  for (const role of roles) keys[role] = (await createApiKey(database, { name: role, role })).key
  return {
    app,
    database,
    url,
    keys,
    channels,
    metrics,
    connected,
    pokes: () => pokes,
    replayed,
    publishEvents: (records) => onRecords(records.map(eventRecord)),
    request: (role, request) =>
      app.inject({ ...request, headers: { authorization: `Bearer ${keys[role]}`, ...request.headers } }),
    stop: async () => {
      await app.close()
      await drop()
      await rm(folder, { recursive: true })
    },
  }
}

export class FakeChannels {
  isAvailable = true
  readonly published: { channel: string; message: ChannelMessage }[] = []
  readonly #listeners = new Map<string, Set<ChannelListener>>()

  get channels(): string[] {
    return [...this.#listeners.keys()]
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }

  async unsubscribe(channel: string, listener: ChannelListener): Promise<void> {
    const listeners = this.#listeners.get(channel)
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(channel)
  }

  async heard(): Promise<void> {}

  async publish(messages: readonly { channel: string; message: ChannelMessage }[]): Promise<number[]> {
    this.published.push(...messages)
    return messages.map(({ channel, message }) => {
      const listeners = [...(this.#listeners.get(channel) ?? [])]
      for (const listener of listeners) listener.receive(message)
      return listeners.length
    })
  }
}

/** Takes any action the CSMS sends, its payload unread, and keeps it as the commands service does. */
const fakeIntake: CommandIntake = {
  prepare: (request) =>
    findAction(request.protocol, request.action)?.lane === 'commands' || request.action === 'DataTransfer'
      ? prepare(request)
      : { kind: 'invalid', problems: [{ path: '', message: `${request.action} is no action of ours` }] },
  record: (commands) => record(commands.map(({ row }) => row)),
}

/** Writes the request down and sends it nowhere. */
const fakeTransactionIntake: TransactionIntake = {
  prepare: ({ transactionId, stationId, kind, content, reason, actor, requestedBy, idempotencyKey }) => {
    const id = newId()
    const requestHash = JSON.stringify([transactionId, kind, content, reason])
    const values = [id, transactionId, stationId, kind, JSON.stringify(content), reason, actor]
    const text = `
      INSERT INTO transaction_request (id, transaction_id, station_id, kind, content, reason, actor, requested_by,
        idempotency_key, request_hash, created_at)
      VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, now()) ON CONFLICT DO NOTHING RETURNING id`
    return { id, requestHash, statement: { text, values: [...values, requestedBy, idempotencyKey, requestHash] } }
  },
}

function prepare(request: CommandRequest): PreparedCommand {
  const { stationId, protocol, action, payload, requestedBy, idempotencyKey, actor } = request
  const id = newId()
  const createdAt = new Date()
  const expiresAt = request.expiresAt ?? new Date(createdAt.getTime() + 60_000)
  const requestHash = createHash('sha256')
    .update(JSON.stringify([stationId, action, request.identity ?? payload]))
    .digest('hex')
  const row = {
    id,
    stationId,
    protocol,
    action,
    payload,
    requestedBy,
    idempotencyKey,
    requestHash,
    createdAt,
    expiresAt,
  }
  return { kind: 'ok', id, requestHash, createdAt, expiresAt, row: { ...row, actor } }
}

const record = overRows(
  {
    id: 'uuid',
    stationId: 'text',
    protocol: 'text',
    action: 'text',
    payload: 'jsonb',
    requestedBy: 'text',
    idempotencyKey: 'text',
    requestHash: 'text',
    createdAt: 'timestamptz',
    expiresAt: 'timestamptz',
    actor: 'text',
  },
  (rows) => `WITH asked AS (SELECT * FROM ${rows}), inserted AS (
    INSERT INTO command (id, station_id, protocol, action, payload, requested_by, idempotency_key, request_hash,
      created_at, expires_at, status)
    SELECT id, station_id, protocol, action, payload, requested_by, idempotency_key, request_hash, created_at, expires_at,
      'queued' FROM asked ON CONFLICT DO NOTHING RETURNING id
  ), audited AS (
    INSERT INTO audit_entry (actor, action, target_type, target_id, details)
    SELECT actor, 'command.send', 'command', id::text, jsonb_build_object('action', action)
    FROM asked JOIN inserted USING (id)
  )
  SELECT id FROM inserted`,
)

/** Calls no private address, and keeps deliveries as service notifications does. */
const fakeWebhooks: WebhookIntake = {
  findFault: (url) => (new URL(url).hostname.startsWith('10.') ? 'a public address' : null),
  createSecret: () => {
    const secret = `whsec_${randomBytes(24).toString('base64')}`
    return { secret, sealed: `sealed:${createHash('sha256').update(secret).digest('hex')}` }
  },
  resend: (webhookId, id) => ({
    text: `UPDATE webhook_delivery SET status = 'pending', due_at = now() WHERE webhook_id = $1 AND id = $2 RETURNING id`,
    values: [webhookId, id],
  }),
  test: (webhookId) => {
    const deliveryId = newId()
    const text = `INSERT INTO webhook_delivery (id, webhook_id, event_id, event_type, body, status, created_at, expires_at)
      VALUES ($1, $2, $1::uuid::text, 'busbar.webhook.test.v1', '{}', 'pending', now(), now())`
    return { deliveryId, statement: { text, values: [deliveryId, webhookId] } }
  },
}

let nextOffset = 0n

function eventRecord(record: Partial<LogRecord>): LogRecord {
  const offset = nextOffset
  nextOffset += 1n
  return {
    topic: 'test.events',
    partition: 0,
    offset,
    key: 'CS-1',
    value: Buffer.from(cloudEvent('transaction.started', `event-${offset}`)),
    headers: {},
    appendedAt: new Date(),
    ...record,
  }
}

/** @param type - the short name */
export function cloudEvent(type: string, id: string): string {
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: '/busbar/stations/CS-1',
    type: `busbar.${type}.v1`,
    data: {},
  })
}
