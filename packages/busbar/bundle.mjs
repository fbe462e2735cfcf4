// One file for all roles: our packages are bundled, libraries stay where npm put them.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const packages = fileURLToPath(new URL('..', import.meta.url))

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
    packages: 'external',
    alias: Object.fromEntries(
      readdirSync(packages).map((name) => [`@busbar/${name}`, `${packages}${name}/src/index.ts`]),
    ),
    logLevel: 'warning',
    plugins,
  })
}
