// What must have happened before anything of ours can run: libraries installed, code generated, the binary built.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Installs what the lockfile names, unless it is there, and builds what changed. Ends the process when a step fails. */
export function prepare() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Busbar needs Node 20.19 or newer; this is ${process.versions.node}.`)
    process.exit(1)
  }
  const installed = `${root}node_modules/.package-lock.json`
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(`${root}package-lock.json`).mtimeMs) {
    step('Installing libraries (once)', 'npm', ['ci', '--no-audit', '--no-fund'])
  }
  step('Building what changed', 'npx', ['turbo', 'run', 'build', '--output-logs=errors-only', '--no-update-notifier'])
}

/** The step's own output says why it failed. */
function step(title, command, args) {
  console.log(`› ${title}`)
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1' }
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}
