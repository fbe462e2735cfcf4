import type { PrismaClient } from '@busbar/store'

/**
 * Has service notifications look at a station or a webhook now; for the dbTransaction that changes what holds for it, or
 * deletes it.
 */
export function putLook(prisma: PrismaClient, kind: 'alert-look' | 'webhook-look', id: string) {
  const key = { service: 'notifications', kind, key: id }
  const dueAt = new Date()
  return prisma.job.upsert({
    where: { service_kind_key: key },
    create: { ...key, stationId: id, dueAt },
    update: { dueAt },
  })
}
