import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const chunk = 20_000

/** Runs a property test of the rules in chunks, each with random cases of its own, until so many were tried. */
export function proveProperties(file: string, title: string, wanted: number, isOver: () => boolean) {
  let runs = 0
  while (runs < wanted && !isOver()) {
    const { status } = spawnSync(
      'node_modules/.bin/vitest',
      ['run', '--config=test/vitest.config.ts', file, '-t', title],
      { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PROPERTY_RUNS: String(chunk) } },
    )
    if (status !== 0) return { runs, refuted: 1 }
    runs += chunk
  }
  return { runs, refuted: 0 }
}
