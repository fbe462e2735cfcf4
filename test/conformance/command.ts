import { writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { hasServices } from '../support/system.js'
import { huntMutants } from './mutants/hunt.js'
import { play } from './play.js'
import { summarize } from './report.js'
import { rows } from './v16/rows.js'

/**
 * `npm run conformance -- 1.6`: every case of the catalogue against the running system, embedded and, where the services are
 * named, distributed. `--full` waits longer in silence and plays three random orders as well; `--mutants` shows that the
 * cases notice faults. Ends with 0 only where every case passed, or every mutant was noticed.
 */
const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    /** Part of the title of the cases or mutants to play; nothing is kept then. */
    only: { type: 'string', default: '' },
  },
})
const [version = '1.6'] = positionals
if (version !== '1.6') throw new Error(`There is a catalogue of 1.6, and none of ${version}.`)

const { passed, text } = given.mutants ? await huntMutants(given.only) : await playCases()
console.log(text)
const isWhole = given.only === ''
if (isWhole) {
  const name = given.mutants ? 'MUTANTS.md' : 'RESULTS.md'
  const title = given.mutants ? 'Mutants' : 'Conformance, OCPP 1.6'
  const command = `npm run conformance -- ${given.mutants ? '--mutants' : `1.6${given.full ? ' --full' : ''}`}`
  const kept = `# ${title}\n\nWritten by \`${command}\`.\n\n\`\`\`\n${text}\n\`\`\`\n`
  await writeFile(fileURLToPath(new URL(name, import.meta.url)), kept)
}
process.exit(passed ? 0 : 1)

async function playCases() {
  if (given.full) process.env.CONFORMANCE_FULL = '1'
  const setUps = hasServices() ? ['embedded', 'distributed'] : ['embedded']
  const played = await play(setUps, given.only)
  // A set-up that could not be started was not played, and must not be missed.
  const sets = [...new Set([...setUps, ...played.map(({ set }) => set)])]
  const asked = rows.filter(({ id, title }) => `${id} ${title}`.includes(given.only))
  const note = hasServices() ? '' : '\nNot played on Kafka, Redis and Postgres: TEST_* names none.'
  const summary = summarize(asked, sets, played)
  const load = `\nLoad of the machine in the last minutes: ${loadavg()[2]?.toFixed(1)} on ${cpus().length} processors.`
  return { passed: summary.passed, text: `${load.trim()}${note}\n\n${summary.text}` }
}
