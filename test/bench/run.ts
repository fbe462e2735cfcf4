import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { hasServices } from '../support/system.js'
import { roundTrips } from './commands.js'
import { authorizeInFlood } from './flood.js'
import { median } from './measure.js'
import { type Product, startProduct } from './product.js'
import { profileOf } from './profile.js'
import { openReferences } from './references.js'
import { rows } from './rows.js'

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
  },
})
if (!hasServices()) throw new Error('Name TEST_DATABASE_URL, TEST_KAFKA_BROKERS and TEST_REDIS_URL')

const stations = Number(given.stations)
const asked = (id: string) => !given.only || given.only.split(',').includes(id)
const lines: string[] = []

const references = await openReferences(stations)
const product = await startProduct(stations)
try {
  for (const { id, what, goal, load, reference, lingerMs = 0, read } of rows.filter(({ id }) => asked(id))) {
    const timed = { ...load, seconds: given.seconds }
    await measureOften(id, what, goal, async () => {
      const against = await references.measure(reference, lingerMs, timed)
      return read(against, await product.measure(timed))
    })
  }
  if (asked('P6')) {
    const what = 'Authorize at 500/s beside 3,000 MeterValues/s: p50 / p99 ms; against itself alone'
    await measureOften('P6', what, '<= 5 / <= 50 ms; <= 1.5x', () =>
      authorizeInFlood(product, stations, Number(given.seconds)),
    )
  }
  if (asked('P12')) {
    const figures = await roundTrips(product.system)
    report('P12', 'command, API to station and back, at 100/s: p50 / p99 ms', '<= 6 / <= 30 ms', figures)
  }
} finally {
  await product.system.stop()
  await references.close()
}
const profiles = given['no-profiles'] ? [] : await profileRows()
if (!given.only) await keep()

async function measureOften(id: string, what: string, goal: string, measure: () => Promise<Record<string, number>>) {
  const figures: Record<string, number[]> = {}
  for (let repetition = 0; repetition < Number(given.repetitions); repetition += 1) {
    for (const [name, value] of Object.entries(await measure())) figures[name] = [...(figures[name] ?? []), value]
  }
  report(id, what, goal, figures)
}

async function profileRows(): Promise<string[]> {
  const found: string[] = []
  const profile = async (id: string, what: string, work: (of: Product) => Promise<unknown>) => {
    const parts = await profileOf((folder) => startProduct(stations, folder), work)
    const text = [`**${id}**, ${what}`, '', ...parts.map((part) => `- ${part}`), ''].join('\n')
    console.log(text)
    found.push(text)
  }
  for (const { id, what, load } of rows.filter((row) => asked(row.id))) {
    await profile(id, what, (of) => of.measure({ ...load, seconds: 10 }))
  }
  if (asked('P12')) await profile('P12', 'commands at 100/s', ({ system }) => roundTrips(system))
  return found
}

function report(id: string, what: string, goal: string, figures: Record<string, number[]>): void {
  const measured = Object.entries(figures).map(([name, values]) => {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return `${name} **${round(median(values))}**${values.length > 1 ? ` (${round(low)}–${round(high)})` : ''}`
  })
  const line = `| ${id} | ${what} | ${goal} | ${measured.join('; ')} |`
  lines.push(line)
  console.log(line)
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
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
    '## Where the time goes',
    '',
    'Shares of busy CPU time, loading of modules left out.',
    '',
    ...profiles,
  ]
  await writeFile(fileURLToPath(new URL('RESULTS.md', import.meta.url)), `${text.join('\n').trimEnd()}\n`)
}
