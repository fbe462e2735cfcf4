import { newId } from '@busbar/store'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { actorOf, audited, auditStatement } from '../audit.js'
import { callerOf } from '../authenticate.js'
import type { TransactionRequest } from '../ports.js'
import { found, ProblemError } from '../problems.js'
import { idParams, text, timeInput } from '../schemas.js'
import { sendHeaders } from '../send-command.js'
import { findCorrections } from './transaction-queries.js'
import { TransactionCorrection } from './transaction-schemas.js'

const reason = text(500).describe('Why; kept with the transaction and in the audit log')

const Close = z
  .strictObject({
    reason,
    endedAt: timeInput.optional().describe('Not before its start; its last reading, when not given'),
  })
  .meta({ examples: [{ reason: 'The station was taken down and never sent its Stop' }] })

const Correct = z
  .strictObject({
    reason,
    energyWh: z.int().min(0).max(999_999_999_999).optional(),
    startedAt: timeInput.optional(),
    endedAt: timeInput.optional(),
  })
  .refine(
    ({ energyWh, startedAt, endedAt }) => energyWh !== undefined || startedAt || endedAt,
    'Say what is to be corrected: energyWh, startedAt or endedAt',
  )
  .meta({ examples: [{ reason: 'Read off the meter on site', energyWh: 12_500 }] })

const query = z.object({
  wait: z.coerce.number().min(0).max(60).default(10).describe('Seconds to wait until it is decided'),
})

/** What every such endpoint is, but for its body. */
const shared = { tags: ['Transactions'], params: idParams, headers: sendHeaders, querystring: query }
const response = {
  200: TransactionCorrection.describe('Applied'),
  202: TransactionCorrection.describe('Recorded, not decided yet; it shows among the corrections of the transaction'),
}
const problems = [404, 409] as const

/** What operators decide about transactions whose stations do not tell, or tell nonsense. */
export function transactionRequestRoutes(app: Api, context: RouteContext): void {
  app.post(
    '/v1/transactions/:id/close',
    {
      config: { problems },
      schema: {
        ...shared,
        summary: 'End a transaction whose station never sends its end',
        description:
          'It ends at its last reading unless `endedAt` says when; the station is told nothing. An end that the station tells after all corrects the totals, which leaves a correction. 409 when it is over already.',
        body: Close,
        response,
      },
    },
    (request, reply) => {
      const { reason, endedAt } = request.body
      return ask(context, request, reply, { kind: 'close', reason, content: toContent({ endedAt }) })
    },
  )

  app.post(
    '/v1/transactions/:id/correct',
    {
      config: { problems },
      schema: {
        ...shared,
        summary: 'Correct the totals of a transaction that is over',
        description:
          'What is set stands from then on, whatever the station still tells: that is flagged `conflict`. A held transaction is held no longer once its energy was set, be it to what was measured. 409 while it runs: close it first.',
        body: Correct,
        response,
      },
    },
    (request, reply) => {
      const { reason, energyWh, startedAt, endedAt } = request.body
      const content = { ...(energyWh !== undefined && { energyWh }), ...toContent({ startedAt, endedAt }) }
      return ask(context, request, reply, { kind: 'correct', reason, content })
    },
  )
}

function toContent(times: { startedAt?: Date | undefined; endedAt?: Date | undefined }): TransactionRequest['content'] {
  return Object.fromEntries(Object.entries(times).flatMap(([name, at]) => (at ? [[name, at.toISOString()]] : [])))
}

type Receipt = z.infer<typeof TransactionCorrection>
type Asked = FastifyRequest & {
  params: z.infer<typeof idParams>
  headers: z.infer<typeof sendHeaders>
  query: z.infer<typeof query>
}

/**
 * Writes the request down and waits for the transactions service, which alone changes transactions. The same again under
 * its idempotency key is one request.
 * @throws ProblemError 404 for no transaction, 409 with the reason of a refusal, or for a key that stands for another request
 */
async function ask(
  context: RouteContext,
  request: Asked,
  reply: FastifyReply,
  wish: Pick<TransactionRequest, 'kind' | 'reason' | 'content'>,
): Promise<Receipt> {
  const { database, transactionRequests, verdicts } = context
  const caller = callerOf(request)
  const actor = actorOf(caller)
  const transactionId = request.params.id
  const transaction = await database.prisma.chargingTransaction.findUnique({
    where: { id: transactionId },
    select: { stationId: true },
  })
  const { stationId } = found(transaction, 'transaction')
  const idempotencyKey = request.headers['idempotency-key'] ?? newId()
  const owner = { requestedBy: caller.id, idempotencyKey }
  const prepared = transactionRequests.prepare({ ...wish, ...owner, transactionId, stationId, actor })
  const audit = auditStatement(
    audited(caller, `transaction.${wish.kind}`, transactionId, {
      ...wish.content,
      reason: wish.reason,
      id: prepared.id,
    }),
    { text: 'WHERE EXISTS (SELECT FROM transaction_request WHERE id = $6::uuid)', values: [prepared.id] },
  )
  const earlier = await findEarlier(context, owner, prepared.requestHash)
  const id = earlier ?? prepared.id
  const watch = verdicts.watch(id, reply.raw)
  try {
    if (earlier === null) {
      const [inserted] = await database.commit([prepared.statement, audit])
      // Two under one key at the same moment: this one wrote nothing.
      if (inserted?.length !== 1) return await ask(context, request, reply, wish)
      context.pokeOutbox()
    }
    const known = await findReceipt(context, transactionId, id)
    if (known.status !== 'requested') return toAnswer(known, reply)
    await watch.wait(request.query.wait * 1000, async () => {
      const { status } = await findReceipt(context, transactionId, id)
      return status === 'requested' ? null : { status, response: null, error: null }
    })
    return toAnswer(await findReceipt(context, transactionId, id), reply)
  } finally {
    watch.stop()
  }
}

/** @throws ProblemError 409 when the key stands for another request */
async function findEarlier(
  { database: { prisma } }: RouteContext,
  key: { requestedBy: string; idempotencyKey: string },
  requestHash: string,
): Promise<string | null> {
  const earlier = await prisma.transactionRequest.findUnique({ where: { requestedBy_idempotencyKey: key } })
  if (!earlier) return null
  if (earlier.requestHash === requestHash) return earlier.id
  throw new ProblemError(409, 'This idempotency key stands for another request.', {
    faults: [{ detail: `used for request ${earlier.id}`, parameter: 'idempotency-key' }],
  })
}

async function findReceipt({ database }: RouteContext, transactionId: string, id: string): Promise<Receipt> {
  const [receipt] = await findCorrections(database, transactionId, id)
  return found(receipt, 'request')
}

/** @throws ProblemError 409 with the reason of a refusal */
function toAnswer(receipt: Receipt, reply: FastifyReply): Receipt {
  if (receipt.status === 'refused') throw new ProblemError(409, receipt.refusal ?? 'It was refused.')
  reply.code(receipt.status === 'applied' ? 200 : 202)
  return receipt
}
