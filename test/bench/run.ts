import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { hasServices } from '../support/system.js'
import { roundTrips, throughput } from './commands.js'
import { median } from './measure.js'
import { alone, type Measure, manyStations, onLargeProduct, onUsualProduct, type Shared } from './measures.js'
import { type Product, startProduct } from './product.js'
import { profileOf } from './profile.js'
import { openReferences } from './references.js'
import { type Figures, rows } from './rows.js'

/**
 * `npm run bench`: reference and product alternate in one run; CPU is user + system of the measured processes per call.
 * The table is printed and, for a whole run, kept in RESULTS.md. A goal is a ratio: absolute rates of a shared machine
 * mean little.
 */
const { values: given } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    stations: { type: 'string', default: '300' },
    /** Goals by id, comma-separated; nothing is kept then. */
    only: { type: 'string', default: '' },
    /** Leave out the profiles. */
    'no-profiles': { type: 'boolean', default: false },
    /** Of P20; the whole of it are 60. */
    'soak-minutes': { type: 'string', default: '10' },
  },
})
if (!hasServices()) throw new Error('Name TEST_DATABASE_URL, TEST_KAFKA_BROKERS and TEST_REDIS_URL')

const stations = Number(given.stations)
const options = { stations, seconds: Number(given.seconds), soakMinutes: Number(given['soak-minutes']) }
const wanted = given.only.split(',')
/** P2+P3 is one measure of two goals; either id asks for it. */
const asked = ({ id }: { id: string }) =>
  given.only === '' || wanted.includes(id) || id.split('+').some((each) => wanted.includes(each))
const lines: string[] = []
let safeAnswers = 0

const references = await openReferences(stations)
try {
  await share(stations, onUsualProduct(references, options))
} finally {
  await references.close()
}
for (const each of alone(options).filter(asked)) await repeat(each, each.measure)
await share(manyStations, onLargeProduct(options))
const summary = `Safe answers of the gateways that were measured longest, over the whole run: ${safeAnswers}.`
console.log(summary)
const profiles = given['no-profiles'] ? [] : await profileRows()
if (!given.only) await keep()

/** All on one running product, started only where one of them is asked for. */
async function share(stationCount: number, all: readonly Shared[]): Promise<void> {
  const measures = all.filter(asked)
  if (measures.length === 0) return
  const product = await startProduct({ stations: stationCount })
  try {
    for (const each of measures) await repeat(each, () => each.measure(product))
    safeAnswers += await product.safeAnswers()
  } finally {
    await product.system.stop()
  }
}

/** One that breaks off is told, and the others go on. */
async function repeat(row: Measure, measure: () => Promise<Figures>): Promise<void> {
  const { id, what, goal } = row
  const measured = await measureAll(row, measure).catch((cause: unknown) => {
    console.error(cause)
    process.exitCode = 1
    return `broke off: ${cause instanceof Error ? cause.message : cause}`
  })
  const line = `| ${id} | ${what} | ${goal} | ${measured} |`
  lines.push(line)
  console.log(line)
}

async function measureAll({ once }: Measure, measure: () => Promise<Figures>): Promise<string> {
  const figures: Record<string, number[]> = {}
  for (let repetition = 0; repetition < (once ? 1 : Number(given.repetitions)); repetition += 1) {
    for (const [name, value] of Object.entries(await measure())) figures[name] = [...(figures[name] ?? []), value]
  }
  const medians = Object.entries(figures).map(([name, values]) => {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return `${name} **${round(median(values))}**${values.length > 1 ? ` (${round(low)}–${round(high)})` : ''}`
  })
  return medians.join('; ')
}

async function profileRows(): Promise<string[]> {
  const found: string[] = []
  const profile = async (id: string, what: string, work: (of: Product) => Promise<unknown>) => {
    const parts = await profileOf((profileFolder) => startProduct({ stations, profileFolder }), work)
    const text = [`**${id}**, ${what}`, '', ...parts.map((part) => `- ${part}`), ''].join('\n')
    console.log(text)
    found.push(text)
  }
  for (const { id, what, load } of rows.filter(asked)) {
    await profile(id, what, (of) => of.measure({ ...load, seconds: 10 }))
  }
  if (asked({ id: 'P11' })) {
    await profile('P11', 'commands of 128 callers', ({ system }) => throughput(system, { seconds: 10 }))
  }
  if (asked({ id: 'P12' })) await profile('P12', 'commands at 100/s', ({ system }) => roundTrips(system))
  return found
}

function round(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}

async function keep(): Promise<void> {
  const text = [
    '# Results of `npm run bench`',
    '',
    `${given.repetitions} alternations of reference and product, ${given.seconds} s each, ${stations} stations; medians (min–max).`,
    `${cpus().length} cores, shared by product, services and load; Node ${process.versions.node}.`,
    'CPU is user + system of our processes per call. "echo" is a bare `ws` server, "thin" the thinnest pipeline without',
    'rules on the same broker and database; the journal and the services that decide nothing on these calls run in a',
    'process of their own and are counted apart.',
    '',
    '| goal | what | asked | measured |',
    '|---|---|---|---|',
    ...lines,
    '',
    summary,
    '',
    '## Where the time goes',
    '',
    'Shares of busy CPU time, loading of modules left out.',
    '',
    ...profiles,
  ]
  await writeFile(fileURLToPath(new URL('RESULTS.md', import.meta.url)), `${text.join('\n').trimEnd()}\n`)
}
