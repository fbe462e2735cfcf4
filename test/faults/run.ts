import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { play, startRig } from './play.js'
import { Results } from './results.js'
import { rows } from './rows/index.js'
import { type OwnServices, startOwnServices } from './services/own-services.js'

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

const results = new Results()
let services: OwnServices | null = null
for (const row of asked) {
  if (row.needsOwnServices) services ??= await startOwnServices()
  // A system of its own: what one row leaves behind slows no other.
  const bed = await startRig(row.needsOwnServices ? services : null)
  try {
    for (const line of results.add(await play(row, given.size, bed, seed, minutes))) console.log(line)
  } catch (cause) {
    console.log(results.addFailed(row, cause))
  } finally {
    await services?.heal()
    await bed.stop()
  }
}
await services?.stop()
console.log(['', ...results.toLines(), ''].join('\n'))
console.log(`${version}: ${asked.length - results.missed} of ${asked.length} rows reach their figures`)
if (given.only === '') await keep()
process.exit(results.missed === 0 ? 0 : 1)

async function keep(): Promise<void> {
  const text = [
    `# Results of \`npm run faults -- ${version}\``,
    '',
    `Size ${given.size}, at most ${minutes} minutes a row, seed ${seed}. ${cpus().length} cores, shared by the product, its services and the stations.`,
    '',
    ...results.toLines(),
  ]
  await writeFile(fileURLToPath(new URL('RESULTS.md', import.meta.url)), `${text.join('\n')}\n`)
}
