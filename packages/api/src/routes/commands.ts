import { type Database, newId } from '@busbar/store'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Api, RouteContext } from '../app.js'
import { actorOf } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import type { CommandRequest } from '../ports.js'
import { found, ProblemError } from '../problems.js'
import { idParams, protocol, stationParams, text, toTime } from '../schemas.js'
import { VerdictWatch } from '../verdict-watch.js'
import {
  Command,
  CommandReceipt,
  type CommandRow,
  commandColumns,
  isFinal,
  toCommand,
  toReceipt,
} from './command-schemas.js'

/** A local list or a certificate chain; the topics take records of 5 MiB. */
const maxCommandBytes = 4 * 1024 * 1024

const CommandDraft = z.strictObject({
  action: text(50).describe("Any that the CSMS sends in the station's OCPP version"),
  payload: z.record(z.string(), z.unknown()).default({}).describe("Checked against the version's schema"),
  expiresInSeconds: z.int().min(1).max(604_800).optional().describe('Not sent to the station later than that'),
})

const sendHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[ -~]{1,255}$/)
    .optional()
    .describe('The same key with the same request is one command; without one a repeated request is a new command'),
})

const sendQuery = z.object({
  wait: z.coerce.number().min(0).max(60).default(0).describe('Seconds to wait for the verdict'),
})

const tags = ['Commands']

export function commandRoutes(app: Api, context: RouteContext): void {
  const { database } = context

  app.post(
    '/v1/stations/:id/commands',
    {
      bodyLimit: maxCommandBytes,
      config: { problems: [404, 409, 422] },
      schema: {
        tags,
        summary: 'Send a command to a station',
        description:
          'Sent at most once, and there is always a verdict: here when `wait` is long enough, else at the location this answers with, and on the topic of command results.',
        params: stationParams,
        headers: sendHeaders,
        querystring: sendQuery,
        body: CommandDraft,
        response: {
          200: CommandReceipt.describe('With the verdict'),
          202: CommandReceipt.describe('Recorded; there is no verdict yet'),
        },
      },
    },
    async (request, reply) => {
      const { action, payload, expiresInSeconds } = request.body
      const caller = callerOf(request)
      const stationId = request.params.id
      const receipt = await send(
        context,
        {
          stationId,
          protocol: await getProtocol(database, stationId),
          action,
          payload,
          idempotencyKey: request.headers['idempotency-key'] ?? newId(),
          requestedBy: caller.id,
          actor: actorOf(caller),
          ...(expiresInSeconds === undefined ? {} : { expiresAt: new Date(Date.now() + expiresInSeconds * 1000) }),
        },
        { timeoutMs: request.query.wait * 1000, signal: endOf(reply, context.closing) },
      )
      return reply
        .code(isFinal(receipt.status) ? 200 : 202)
        .header('location', `/v1/commands/${receipt.id}`)
        .send(receipt)
    },
  )

  app.get(
    '/v1/stations/:id/commands',
    {
      schema: {
        tags,
        summary: "List a station's commands, newest first",
        params: stationParams,
        querystring: pageQuery,
        response: { 200: pageOf(Command) },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const rows = await database.query<CommandRow>({
        text: `SELECT ${commandColumns} FROM command
               WHERE station_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
               ORDER BY created_at DESC, id DESC LIMIT $4`,
        values: [id, before?.[0] ?? null, before?.[1] ?? null, limit + 1],
      })
      return toPage(
        rows,
        limit,
        (row) => toCommand(row, context.vault),
        (row) => [toTime(row.createdAt), row.id],
      )
    },
  )

  app.get(
    '/v1/commands/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Read a command with the whole answer of the station',
        params: idParams,
        response: { 200: Command },
      },
    },
    async ({ params: { id } }) => toCommand(found(await findCommand(database, 'id', [id]), 'command'), context.vault),
  )
}

type Receipt = z.infer<typeof CommandReceipt>

async function send(
  context: RouteContext,
  request: CommandRequest,
  patience: { timeoutMs: number; signal: AbortSignal },
): Promise<Receipt> {
  const { database, backbone, commands } = context
  const prepared = await commands.prepare(request)
  if (prepared.kind === 'invalid') {
    throw new ProblemError(422, 'The station would not understand this command.', {
      faults: prepared.problems.map(({ path, message }) => ({ detail: message, pointer: `/payload${path}` })),
    })
  }
  const watch = patience.timeoutMs > 0 ? await VerdictWatch.start(backbone.channels, prepared.id) : null
  try {
    const [inserted] = await database.commit(prepared.statements)
    if (inserted?.length !== 1) return await findEarlier(context, request, prepared.requestHash, patience)
    context.pokeOutbox()
    const verdict = await watch?.wait(patience.timeoutMs, patience.signal)
    const { id, createdAt, expiresAt } = prepared
    if (verdict || !watch) {
      const { status, response, error } = verdict ?? { status: 'queued', response: null, error: null }
      const { stationId, action } = request
      return toReceipt({ id, stationId, action, status, response, error, createdAt, expiresAt })
    }
    return toReceipt(found(await findCommand(database, 'id', [id]), 'command'))
  } finally {
    await watch?.stop()
  }
}

/** The command that this idempotency key already stands for. @throws ProblemError 409 when it was another request */
async function findEarlier(
  { database, backbone }: RouteContext,
  { requestedBy, idempotencyKey }: CommandRequest,
  requestHash: string,
  patience: { timeoutMs: number; signal: AbortSignal },
): Promise<Receipt> {
  const key = [requestedBy, idempotencyKey]
  const earlier = found(await findCommand(database, 'requested_by, idempotency_key', key), 'command')
  if (earlier.requestHash !== requestHash) {
    throw new ProblemError(409, 'This idempotency key stands for another command.', {
      faults: [{ detail: `used for command ${earlier.id}`, parameter: 'idempotency-key' }],
    })
  }
  if (isFinal(earlier.status) || patience.timeoutMs === 0) return toReceipt(earlier)
  const watch = await VerdictWatch.start(backbone.channels, earlier.id)
  try {
    const now = found(await findCommand(database, 'id', [earlier.id]), 'command')
    if (isFinal(now.status)) return toReceipt(now)
    await watch.wait(patience.timeoutMs, patience.signal)
    return toReceipt(found(await findCommand(database, 'id', [earlier.id]), 'command'))
  } finally {
    await watch.stop()
  }
}

/**
 * The version a station speaks: what it connected with last, else the only one it may use.
 * @throws ProblemError 404 for a station that is neither registered nor connected, 409 when the version is not known
 */
async function getProtocol(database: Database, stationId: string) {
  const [row] = await database.query<{ spoken: string | null; allowed: string[] | null; assumed: string | null }>({
    name: 'protocol_of_station',
    text: `SELECT t.protocol AS spoken, s.protocols AS allowed, s.protocol_without_header AS assumed
           FROM (SELECT $1::text AS id) asked
           LEFT JOIN station s ON s.id = asked.id LEFT JOIN station_state t ON t.station_id = asked.id
           WHERE s.id IS NOT NULL OR t.online`,
    values: [stationId],
  })
  const { spoken, allowed, assumed } = found(row, 'station')
  const known = protocol.safeParse(spoken ?? (allowed?.length === 1 ? allowed[0] : assumed))
  if (known.success) return known.data
  throw new ProblemError(409, 'The station has never connected, so its OCPP version is not known.')
}

async function findCommand(
  database: Database,
  key: 'id' | 'requested_by, idempotency_key',
  values: string[],
): Promise<CommandRow | null> {
  const condition = key === 'id' ? 'id = $1::uuid' : 'requested_by = $1 AND idempotency_key = $2'
  const [row] = await database.query<CommandRow>({
    name: `command_by_${key}`,
    text: `SELECT ${commandColumns} FROM command WHERE ${condition}`,
    values,
  })
  return row ?? null
}

/** Aborts when the caller hangs up or the API stops. */
function endOf(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return AbortSignal.any([closing, gone.signal])
}
