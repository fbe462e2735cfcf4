import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * The soak first, then whole systems, then what stands on brokers, as they mostly wait; what only computes fills both cores at the end, the
 * long before the short.
 */
const order = [
  /soak/,
  /^test\/faults/,
  /^test\/conformance/,
  /^test/,
  /^packages\/backbone/,
  /\.properties\./,
  /^packages/,
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = (file: TestSpecification) =>
      order.findIndex((each) => each.test(path.posix.relative(root, file.moduleId)))
    const others = await super.sort(files)
    return others.sort((one, other) => place(one) - place(other))
  }
}

export default defineConfig({
  root,
  test: {
    globalSetup: 'test/support/one-postgres.ts',
    sequence: { sequencer: LongestFirst },
    // Whole-system tests start processes and wait for real brokers.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // For two cores: more workers only make the timeouts of neighbours fire.
    maxWorkers: 3,
    projects: [
      // What is under test is loaded once a worker, not once a file.
      { extends: true, test: { name: 'packages', include: ['packages/*/src/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'systems', include: ['test/**/*.test.ts'] } },
    ],
  },
})
