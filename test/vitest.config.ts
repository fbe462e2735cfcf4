import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    globalSetup: 'test/support/one-postgres.ts',
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    // Whole-system tests start processes and wait for real brokers.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: more workers only make the timeouts of neighbours fire.
    maxWorkers: 2,
  },
})
