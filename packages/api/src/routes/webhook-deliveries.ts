import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited, auditStatement } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found, notFound, ProblemError } from '../problems.js'
import { idParams } from '../schemas.js'
import { Delivery, deliveryStatus, stateOf, toDelivery, toWholeDelivery, WholeDelivery } from './webhook-schemas.js'

const deliveryParams = idParams.extend({ deliveryId: z.uuid() })
const deliveryQuery = pageQuery.extend({ status: deliveryStatus.optional() })
const tags = ['Webhooks']

/** What was sent to a webhook, what came of it, and again. */
export function webhookDeliveryRoutes(app: Api, { database, webhooks }: RouteContext): void {
  const { prisma } = database

  app.post(
    '/v1/webhooks/:id/test',
    {
      config: { problems: [404, 409] },
      schema: {
        tags,
        summary: 'Send a webhook an event that did not happen',
        description: 'Of type `busbar.webhook.test.v1`; what comes of it stands among the deliveries.',
        params: idParams,
        response: { 202: z.object({ deliveryId: z.string() }) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const webhook = found(await prisma.webhook.findUnique({ where: { id } }), 'webhook')
      const state = stateOf(webhook, await prisma.webhookState.findUnique({ where: { webhookId: id } }))
      if (state === 'off' || state === 'disabled') throw new ProblemError(409, `The webhook is ${state}: switch it on.`)
      const { deliveryId, statement } = webhooks.test(id)
      await database.commit([statement, auditStatement(audited(callerOf(request), 'webhook.test', id))])
      return reply.code(202).send({ deliveryId })
    },
  )

  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      schema: {
        tags,
        summary: 'List the deliveries of a webhook, newest first',
        params: idParams,
        querystring: deliveryQuery,
        response: { 200: pageOf(Delivery) },
      },
    },
    async ({ params: { id: webhookId }, query: { limit, cursor, status } }) => {
      const before = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.webhookDelivery.findMany({
        where: { webhookId, ...(status && { status }), ...(before && { id: { lt: before[0] } }) },
        orderBy: { id: 'desc' },
        take: limit + 1,
      })
      return toPage(rows, limit, toDelivery, ({ id }) => [id])
    },
  )

  app.get(
    '/v1/webhooks/:id/deliveries/:deliveryId',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Read a delivery with its attempts',
        params: deliveryParams,
        response: { 200: WholeDelivery },
      },
    },
    async ({ params: { id: webhookId, deliveryId: id } }) =>
      toWholeDelivery(found(await prisma.webhookDelivery.findFirst({ where: { webhookId, id } }), 'delivery')),
  )

  app.post(
    '/v1/webhooks/:id/deliveries/:deliveryId/resend',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Send an event to a webhook again',
        description:
          'With the same `webhook-id`, whatever became of it before; tried for 24 hours like the first time.',
        params: deliveryParams,
        response: { 202: z.object({ deliveryId: z.string() }) },
      },
    },
    async (request, reply) => {
      const { id, deliveryId } = request.params
      const audit = audited(callerOf(request), 'webhook.resend', id, { deliveryId })
      const condition = {
        text: 'WHERE EXISTS (SELECT FROM webhook_delivery WHERE webhook_id = $6::uuid AND id = $7::uuid)',
        values: [id, deliveryId],
      }
      const [resent] = await database.commit([webhooks.resend(id, deliveryId), auditStatement(audit, condition)])
      if (resent?.length !== 1) throw notFound('delivery')
      return reply.code(202).send({ deliveryId })
    },
  )
}
