import { readFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'
import { play } from '../play.js'
import { type Change, type Mutant, mutants } from './mutants.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const { bundle }: { bundle: (outfile: string, plugins: Plugin[]) => Promise<unknown> } = await import(
  String(new URL('../../../packages/busbar/bundle.mjs', import.meta.url))
)

/**
 * Builds Busbar with one fault at a time and plays the cases that have to notice it. A case counts only if it passes
 * without the fault.
 */
export async function huntMutants(only: string): Promise<{ passed: boolean; text: string }> {
  const hunted = mutants.filter(({ name }) => name.includes(only))
  const sound = await passedBy([...new Set(hunted.flatMap(({ killers }) => killers))])
  const lines: string[] = []
  let survivors = 0
  for (const [index, mutant] of hunted.entries()) {
    const found = await killersOf(mutant, index, sound)
    if (found.length === 0) survivors++
    const line = `${(found.length > 0 ? 'noticed' : 'SURVIVED').padEnd(10)}${mutant.name}`
    lines.push([line, ...found.map((each) => `${' '.repeat(10)}${each}`)].join('\n'))
    console.log(lines.at(-1))
  }
  return {
    passed: survivors === 0,
    text: [...lines, '', `Mutants: ${hunted.length - survivors} of ${hunted.length} noticed`].join('\n'),
  }
}

/** Those of these cases that pass as Busbar is. */
async function passedBy(ids: readonly string[]): Promise<ReadonlySet<string>> {
  const played = await play(['embedded'], toPattern(ids))
  const failed = played.filter(({ reason }) => reason !== null)
  for (const { id, reason } of failed) console.log(`${id} fails without any fault: ${reason}`)
  return new Set(played.filter(({ reason }) => reason === null).map(({ id }) => id))
}

/** @returns what went red, with the reason of the first */
async function killersOf(mutant: Mutant, index: number, sound: ReadonlySet<string>): Promise<string[]> {
  const outfile = `dist/mutants/${index}.js`
  const file = `${root}packages/busbar/${outfile}`
  await bundle(outfile, [toPlugin(mutant)])
  process.env.TEST_BUSBAR_BINARY = file
  try {
    const played = await play(['embedded'], toPattern(mutant.killers))
    return played
      .filter(({ id, reason }) => reason !== null && sound.has(id))
      .map(({ id, reason }) => `${id} (${reason})`)
  } finally {
    delete process.env.TEST_BUSBAR_BINARY
    await rm(file, { force: true })
    await rm(`${file}.map`, { force: true })
  }
}

const toPattern = (ids: readonly string[]) => ids.map((id) => `${id.replaceAll('.', '\\.')} `).join('|')

/** @throws Error when the source has changed, so that the fault has no place any more */
function toPlugin({ name, changes }: Mutant): Plugin {
  const pathOf = ({ file }: Change) => `${root}packages/${file}`
  return {
    name,
    setup({ onLoad, onEnd }) {
      const left = new Set(changes.map(pathOf))
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const wanted = changes.filter((change) => pathOf(change) === path)
        if (wanted.length === 0) return null
        left.delete(path)
        const contents = wanted.reduce((source, change) => apply(source, change, name), await readFile(path, 'utf8'))
        return { contents, loader: 'ts' }
      })
      onEnd(() => {
        if (left.size > 0) throw new Error(`${name}: not part of the bundle: ${[...left].join(', ')}`)
      })
    },
  }
}

function apply(source: string, { file, find, replace }: Change, name: string): string {
  const times = source.split(find).length - 1
  if (times !== 1) throw new Error(`${name}: ${times} times instead of once in ${file}:\n${find}`)
  return source.replace(find, () => replace)
}
