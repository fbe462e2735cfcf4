import { defineConfig } from 'prisma/config'

// Read by the Prisma CLI alone (`npx prisma ... --config prisma/prisma.config.ts`); Busbar migrates by itself at start.
const url = process.env.BUSBAR_DATABASE_URL

export default defineConfig({
  schema: 'schema.prisma',
  migrations: { path: 'migrations' },
  ...(url === undefined ? {} : { datasource: { url } }),
})
