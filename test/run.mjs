// Runs the tests and ends with one plain line: `N passed, N failed, N skipped`.
// REQUIRE_SERVICES=1 makes a distributed test fail where Kafka, Redis or Postgres are not named.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { prepare, root } from '../packages/busbar/prepare.mjs'

prepare()
const folder = mkdtempSync(path.join(tmpdir(), 'busbar-test-'))
const report = path.join(folder, 'report.json')
const { status } = spawnSync(
  process.execPath,
  [
    path.join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config=test/vitest.config.ts',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
)
const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
rmSync(folder, { recursive: true })
// A file that cannot be loaded has no test to fail, but it did fail.
const unloaded = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length
const failed = numFailedTests + unloaded || Number(status !== 0)
console.log(`${numPassedTests} passed, ${failed} failed${numPendingTests ? `, ${numPendingTests} skipped` : ''}`)
process.exit(failed === 0 ? 0 : 1)
