import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Whether these programs are on this machine. @throws where they are required (CI) and one is missing */
export function hasCommands(...names: string[]): boolean {
  const missing = names.filter((name) => spawnSync('which', [name]).status !== 0)
  if (missing.length > 0 && process.env.REQUIRE_SERVICES === '1') {
    throw new Error(`Required but not installed: ${missing.join(', ')}`)
  }
  return missing.length === 0
}

/** @returns what it printed, both streams @throws Error with what it printed, when it failed */
export async function output(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  try {
    const { stdout, stderr } = await execute(command, args, { env })
    return stdout + stderr
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout: string; stderr: string }
    throw new Error(`${command} ${args.join(' ')}:\n${stdout}${stderr}`, { cause })
  }
}
