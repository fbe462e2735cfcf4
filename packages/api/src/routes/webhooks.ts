import { newId, type Webhook as WebhookRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found, ProblemError } from '../problems.js'
import { putLook } from '../put-look.js'
import { defined, idParams } from '../schemas.js'
import {
  CreatedWebhook,
  isDisabled,
  SecretChange,
  toWebhook,
  Webhook,
  WebhookChange,
  WebhookDraft,
} from './webhook-schemas.js'

const maxWebhooks = 200
const tags = ['Webhooks']

/** Who outside is told of events. What was delivered to whom: `webhook-deliveries.ts`. */
export function webhookRoutes(app: Api, { database: { prisma }, webhooks }: RouteContext): void {
  const findState = (webhookId: string) => prisma.webhookState.findUnique({ where: { webhookId } })
  const find = async (id: string) => found(await prisma.webhook.findUnique({ where: { id } }), 'webhook')
  const checkUrl = (url: string | undefined) => {
    const fault = url === undefined ? null : webhooks.findFault(url)
    if (fault === null) return
    const faults = [{ detail: `It has to be ${fault}`, pointer: '/url' }]
    throw new ProblemError(422, 'Busbar may not call this address.', { faults })
  }

  app.get(
    '/v1/webhooks',
    { schema: { tags, summary: 'List webhooks', querystring: pageQuery, response: { 200: pageOf(Webhook) } } },
    async ({ query: { limit, cursor } }) => {
      const after = parseCursor(cursor, z.tuple([z.uuid()]))
      const rows = await prisma.webhook.findMany({
        where: after ? { id: { gt: after[0] } } : {},
        orderBy: { id: 'asc' },
        take: limit + 1,
      })
      const states = await prisma.webhookState.findMany({ where: { webhookId: { in: rows.map(({ id }) => id) } } })
      const stateOf = new Map(states.map((state) => [state.webhookId, state]))
      return toPage(
        rows,
        limit,
        (row) => toWebhook(row, stateOf.get(row.id) ?? null),
        ({ id }) => [id],
      )
    },
  )

  app.post(
    '/v1/webhooks',
    {
      config: { problems: [409, 422] },
      schema: {
        tags,
        summary: 'Have events sent to an address',
        description:
          'Each event as one POST of its CloudEvent, signed as Standard Webhooks has it, at least once and in no order; the event id (`webhook-id`) tells repeats. What is not answered with 2xx is tried again for 24 hours.',
        body: WebhookDraft,
        response: { 201: CreatedWebhook },
      },
    },
    async (request, reply) => {
      const { body } = request
      checkUrl(body.url)
      if ((await prisma.webhook.count()) >= maxWebhooks) {
        throw new ProblemError(409, `There are ${maxWebhooks} webhooks, and no more can be.`)
      }
      const { secret, sealed } = webhooks.createSecret()
      const id = newId()
      const [row] = await prisma.$transaction([
        prisma.webhook.create({
          data: { ...defined(body), id, name: body.name, url: body.url, secret: sealed, enabledAt: new Date() },
        }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'webhook.create', id, toAudit(body)) }),
      ])
      return reply.code(201).send({ ...toWebhook(row, null), secret })
    },
  )

  app.get(
    '/v1/webhooks/:id',
    {
      config: { problems: [404] },
      schema: { tags, summary: 'Read a webhook', params: idParams, response: { 200: Webhook } },
    },
    async ({ params: { id } }) => toWebhook(await find(id), await findState(id)),
  )

  app.patch(
    '/v1/webhooks/:id',
    {
      config: { problems: [404, 422] },
      schema: {
        tags,
        summary: 'Change a webhook',
        description: 'What happens while it is off is not kept for it.',
        params: idParams,
        body: WebhookChange,
        response: { 200: Webhook },
      },
    },
    async (request) => {
      const { id } = request.params
      const { body } = request
      checkUrl(body.url)
      const [before, state] = [await find(id), await findState(id)]
      const isBack = body.enabled === true && (!before.enabled || isDisabled(before, state))
      const [row] = await prisma.$transaction([
        prisma.webhook.update({ where: { id }, data: { ...defined(body), ...(isBack && { enabledAt: new Date() }) } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'webhook.update', id, toAudit(body)) }),
        putLook(prisma, 'webhook-look', id),
      ])
      return toWebhook(row, isBack ? null : state)
    },
  )

  app.post(
    '/v1/webhooks/:id/secret',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Give a webhook a new secret',
        params: idParams,
        body: SecretChange,
        response: { 200: CreatedWebhook },
      },
    },
    async (request) => {
      const { id } = request.params
      const { previousValidHours } = request.body
      const before = await find(id)
      const { secret, sealed } = webhooks.createSecret()
      const [row] = await prisma.$transaction([
        prisma.webhook.update({ where: { id }, data: { secret: sealed, ...previousOf(before, previousValidHours) } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'webhook.rotate-secret', id, request.body) }),
      ])
      return { ...toWebhook(row, await findState(id)), secret }
    },
  )

  app.delete(
    '/v1/webhooks/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Delete a webhook',
        description: 'What was not delivered is not sent any more.',
        params: idParams,
        response: { 204: z.undefined().describe('Deleted') },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await prisma.$transaction([
        prisma.webhook.delete({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'webhook.delete', id) }),
        putLook(prisma, 'webhook-look', id),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

function previousOf({ secret }: WebhookRow, hours: number) {
  if (hours === 0) return { previousSecret: null, previousSecretUntil: null }
  return { previousSecret: secret, previousSecretUntil: new Date(Date.now() + hours * 3_600_000) }
}

/** The rest of an address may be what opens it. */
function toAudit({ url, ...rest }: { url?: string | undefined }) {
  return { ...rest, ...(url !== undefined && { origin: new URL(url).origin }) }
}
