import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.mjs'

const { metafile } = await bundle('dist/busbar.js')
// For the licenses of an image.
const inputs = fileURLToPath(new URL('dist/inputs.json', import.meta.url))
await writeFile(inputs, JSON.stringify(Object.keys(metafile.inputs)))
