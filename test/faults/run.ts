import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Played, play, startRig } from './play.js'
import type { Figure, Row } from './row.js'
import { rows } from './rows/index.js'

/**
 * `npm run faults -- 1.6`: injects the faults and threats into the running system and holds what came of it against the
 * figures asked for. The table is printed and, when all rows ran, kept in RESULTS.md.
 */
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: 'full' },
    /** For one row; it ends with what it did until then. */
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Rows by id, comma-separated; nothing is kept then. */
    only: { type: 'string', default: '' },
  },
})
const [version = '1.6'] = positionals
if (version !== '1.6') throw new Error(`There are no rows for ${version}: 1.6`)
if (given.size !== 'small' && given.size !== 'full') throw new Error('--size is small or full')
const [seed, minutes] = [Number(given.seed), Number(given.minutes)]
const asked = rows.filter(({ id }) => given.only === '' || given.only.split(',').includes(id))
console.log(`seed ${seed}, size ${given.size}, at most ${minutes} minutes a row`)

const lines: string[] = []
let missed = 0
for (const row of asked) {
  // A system of its own: what one row leaves behind slows no other.
  const bed = await startRig()
  try {
    report(await play(row, given.size, bed, seed, minutes))
  } catch (cause) {
    fail(row, cause)
  } finally {
    await bed.stop()
  }
}
console.log(`${version}: ${asked.length - missed} of ${asked.length} rows reach their figures`)
if (given.only === '') await keep()
process.exit(missed === 0 ? 0 : 1)

function report({ row, injected, figures, seconds }: Played): void {
  const isReached = figures.every(({ isMet }) => isMet)
  if (!isReached) missed += 1
  add(row, injected, figures.map(toText).join('; '), seconds, isReached ? 'reached' : '**missed**')
  for (const { name, examples } of figures) for (const example of examples) console.log(`  ${name}: ${example}`)
}

function fail(row: Row, cause: unknown): void {
  missed += 1
  add(row, row.fault, `could not be run: ${String(cause)}`, 0, '**missed**')
}

function add(row: Row, injected: string, figures: string, seconds: number, verdict: string): void {
  const line = `| ${row.id} | ${row.fault} | ${injected} | ${figures} | ${seconds.toFixed(0)} | ${verdict} |`
  lines.push(line)
  console.log(line)
}

function toText({ name, value, goal }: Figure): string {
  return goal === '' ? `${name} ${value}` : `${name} **${value}** (asked ${goal})`
}

async function keep(): Promise<void> {
  const text = [
    `# Results of \`npm run faults -- ${version}\``,
    '',
    `Size ${given.size}, at most ${minutes} minutes a row, seed ${seed}. ${cpus().length} cores, shared by the product, its services and the stations.`,
    '',
    '| row | fault | injected | figures | seconds | |',
    '|---|---|---|---|---|---|',
    ...lines,
  ]
  await writeFile(fileURLToPath(new URL('RESULTS.md', import.meta.url)), `${text.join('\n')}\n`)
}
