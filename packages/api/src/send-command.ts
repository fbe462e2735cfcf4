import type { ServerResponse } from 'node:http'
import { type Database, newId, type Sql, UnavailableError } from '@busbar/store'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Caller } from './access.js'
import type { RouteContext } from './api.js'
import { actorOf } from './audit.js'
import { callerOf } from './authenticate.js'
import type { CommandBooks } from './command-books.js'
import type { CommandRequest } from './ports.js'
import { found, ProblemError } from './problems.js'
import { type CommandReceipt, type CommandRow, commandColumns, isFinal, toReceipt } from './routes/command-schemas.js'
import { protocol } from './schemas.js'

export const sendHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[ -~]{1,255}$/)
    .optional()
    .describe('The same key with the same request is one command; without one a repeated request is a new command'),
})

export const sendQuery = z.object({
  wait: z.coerce.number().min(0).max(60).default(0).describe('Seconds to wait for the verdict'),
})

export const expiryDescription =
  'Not sent to the station later than that; 45 unless said. Behind a command that the station leaves unanswered it waits 30 s, behind UnlockConnector and SendLocalList 60 s'

/** What a caller wants sent, whichever endpoint it used. */
export interface Wish {
  stationId: string
  protocol: CommandRequest['protocol']
  action: string
  payload: CommandRequest['payload']
  identity?: NonNullable<CommandRequest['identity']>
  expiresInSeconds?: number | undefined
  /** Into the same commit; they do nothing when there is no such command. */
  also?: (commandId: string) => Sql[]
}

interface SendRequest {
  headers: z.infer<typeof sendHeaders>
  query: z.infer<typeof sendQuery>
}

/** Records a command for the caller, and waits for its verdict as long as it asked to. */
export async function sendForCaller(
  context: RouteContext,
  request: FastifyRequest & SendRequest,
  reply: FastifyReply,
  { expiresInSeconds, also = () => [], ...wish }: Wish,
): Promise<Receipt> {
  const caller = callerOf(request)
  const receipt = await send(
    context,
    caller,
    {
      ...wish,
      idempotencyKey: request.headers['idempotency-key'] ?? newId(),
      requestedBy: caller.id,
      actor: actorOf(caller),
      ...(expiresInSeconds === undefined ? {} : { expiresAt: new Date(Date.now() + expiresInSeconds * 1000) }),
    },
    also,
    { timeoutMs: request.query.wait * 1000, caller: reply.raw },
  )
  reply.code(isFinal(receipt.status) ? 200 : 202).header('location', `/v1/commands/${receipt.id}`)
  return receipt
}

type Receipt = z.infer<typeof CommandReceipt>

/** How long who waits. */
interface Patience {
  timeoutMs: number
  caller: ServerResponse
}

async function send(
  context: RouteContext,
  caller: Caller,
  request: CommandRequest,
  also: (commandId: string) => Sql[],
  patience: Patience,
): Promise<Receipt> {
  const { commands, commandBooks, switchLimit, verdicts } = context
  const prepared = await commands.prepare(request)
  if (prepared.kind === 'invalid') {
    throw new ProblemError(422, 'The station would not understand this command.', {
      faults: prepared.problems.map(({ path, message }) => ({ detail: message, pointer: `/payload${path}` })),
    })
  }
  await switchLimit.take(caller, request)
  const watch = patience.timeoutMs > 0 ? verdicts.watch(prepared.id, patience.caller) : null
  try {
    if (!(await commandBooks.record(prepared, also(prepared.id))))
      return await findEarlier(context, request, prepared.requestHash, patience)
    context.pokeOutbox()
    const { id, createdAt, expiresAt } = prepared
    const verdict = await watch?.wait(patience.timeoutMs, () => findVerdict(commandBooks, id))
    if (verdict || !watch) {
      const { status, response, error } = verdict ?? { status: 'queued', response: null, error: null }
      const { stationId, action } = request
      return toReceipt({ id, stationId, action, status, response, error, createdAt, expiresAt })
    }
    return toReceipt(found(await commandBooks.find(id), 'command'))
  } finally {
    watch?.stop()
  }
}

async function findVerdict(books: CommandBooks, id: string): Promise<CommandRow | null> {
  const command = await books.find(id)
  return command && isFinal(command.status) ? command : null
}

/** The command that this idempotency key already stands for. @throws ProblemError 409 when it was another request */
async function findEarlier(
  { database, commandBooks, verdicts }: RouteContext,
  { requestedBy, idempotencyKey }: CommandRequest,
  requestHash: string,
  patience: Patience,
): Promise<Receipt> {
  const key = [requestedBy, idempotencyKey]
  const earlier = found(await findByKey(database, key), 'command')
  if (earlier.requestHash !== requestHash) {
    throw new ProblemError(409, 'This idempotency key stands for another command.', {
      faults: [{ detail: `used for command ${earlier.id}`, parameter: 'idempotency-key' }],
    })
  }
  if (isFinal(earlier.status) || patience.timeoutMs === 0) return toReceipt(earlier)
  const watch = verdicts.watch(earlier.id, patience.caller)
  try {
    const now = found(await commandBooks.find(earlier.id), 'command')
    if (isFinal(now.status)) return toReceipt(now)
    await watch.wait(patience.timeoutMs, () => findVerdict(commandBooks, earlier.id))
    return toReceipt(found(await commandBooks.find(earlier.id), 'command'))
  } finally {
    watch.stop()
  }
}

/**
 * The version a station speaks: what it connected with last, else the only one it may use.
 * @throws ProblemError 404 for a station that is neither registered nor connected, 409 when the version is not known
 */
export async function getProtocol(
  { commandBooks, backbone }: Pick<RouteContext, 'commandBooks' | 'backbone'>,
  stationId: string,
) {
  const { spoken, allowed, assumed } = found(await commandBooks.findVersions(stationId), 'station')
  // A station that has just come for the first time is known to its gateway, and soon to the service stations.
  const known = protocol.safeParse(spoken ?? (await findSpokenNow(backbone, stationId)) ?? only(allowed) ?? assumed)
  if (known.success) return known.data
  throw new ProblemError(409, 'The station has never connected, so its OCPP version is not known.')
}

const only = (allowed: string[] | null) => (allowed?.length === 1 ? allowed[0] : null)

async function findSpokenNow({ ownership }: RouteContext['backbone'], stationId: string): Promise<string | null> {
  try {
    return (await ownership.find(stationId))?.protocol ?? null
  } catch (cause) {
    if (cause instanceof UnavailableError) return null
    throw cause
  }
}

/** @param key caller and idempotency key */
async function findByKey(database: Database, key: readonly string[]): Promise<CommandRow | null> {
  const [row] = await database.query<CommandRow>({
    name: 'command_by_key',
    text: `SELECT ${commandColumns} FROM command WHERE requested_by = $1 AND idempotency_key = $2`,
    values: [...key],
  })
  return row ?? null
}
