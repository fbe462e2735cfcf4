import type { BulkKillSwitch as SwitchRow } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { actorOf, audited } from '../audit.js'
import { callerOf } from '../authenticate.js'
import { toTime } from '../schemas.js'
import { KillSwitch, Reason } from './bulk-schemas.js'

const tags = ['Bulk commands']
const id = 1

/** Stops all bulk commands at once, and keeps any from starting. Every operator engages it, an admin lifts it. */
export function bulkKillSwitchRoutes(app: Api, { database, bulkLock }: RouteContext): void {
  const { prisma } = database

  app.get(
    '/v1/bulk-kill-switch',
    { schema: { tags, summary: 'Read the kill switch of bulk commands', response: { 200: KillSwitch } } },
    async () => toKillSwitch(await prisma.bulkKillSwitch.findUnique({ where: { id } })),
  )

  app.post(
    '/v1/bulk-kill-switch',
    {
      schema: {
        tags,
        summary: 'Stop all bulk commands, and let none start',
        description: 'Once this is answered no further station has its turn. What was sent stays sent.',
        body: Reason,
        response: { 200: KillSwitch },
      },
    },
    async (request) => {
      const caller = callerOf(request)
      const { reason } = request.body
      const data = { engagedBy: actorOf(caller), reason, engagedAt: new Date() }
      const row = await bulkLock.hold(async () => {
        const [engaged] = await prisma.$transaction([
          prisma.bulkKillSwitch.upsert({ where: { id }, create: { id, ...data }, update: {} }),
          prisma.bulkCommand.updateMany({
            where: { status: 'running' },
            data: { status: 'stopped', statusReason: `kill switch: ${reason}`, dueAt: null },
          }),
          prisma.auditEntry.create({ data: audited(caller, 'bulk-kill-switch.engage', String(id), { reason }) }),
        ])
        return engaged
      })
      return toKillSwitch(row)
    },
  )

  app.delete(
    '/v1/bulk-kill-switch',
    {
      schema: {
        tags,
        summary: 'Lift the kill switch of bulk commands',
        description: 'What it stopped stays stopped, until each is resumed.',
        response: { 204: z.undefined().describe('Lifted') },
      },
    },
    async (request, reply) => {
      await prisma.$transaction([
        prisma.bulkKillSwitch.deleteMany({ where: { id } }),
        prisma.auditEntry.create({ data: audited(callerOf(request), 'bulk-kill-switch.lift', String(id)) }),
      ])
      return reply.code(204).send(undefined)
    },
  )
}

function toKillSwitch(row: SwitchRow | null): z.infer<typeof KillSwitch> {
  return row
    ? { engaged: true, by: row.engagedBy, reason: row.reason, at: toTime(row.engagedAt) }
    : { engaged: false, by: null, reason: null, at: null }
}
