import type { PrismaClient, Sql } from '@busbar/store'

/** A statement of ours among those of a Prisma transaction. */
export function asPrisma(prisma: Pick<PrismaClient, '$executeRawUnsafe'>, { text, values }: Sql) {
  return prisma.$executeRawUnsafe(text, ...values)
}
