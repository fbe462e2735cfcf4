import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Whole systems first, as they mostly wait: what only computes is short, and fills both cores at the end. */
const order = ['test/faults/', 'test/conformance/', 'test/', 'packages/']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => order.findIndex((each) => moduleId.startsWith(`${root}${each}`))
    const others = await super.sort(files)
    return others.sort((one, other) => place(one) - place(other))
  }
}

const root = fileURLToPath(new URL('..', import.meta.url))

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
