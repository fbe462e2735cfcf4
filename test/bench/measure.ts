import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LoadResult } from './load.js'
import { quantiles } from './quantiles.js'

/** User and system CPU of a process in microseconds; the kernel counts in ticks of 10 ms. */
export function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** What a process has in memory. */
export function rssBytes(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return Number(pages) * 4_096
}

export const median = (values: readonly number[]) => quantiles(values)(0.5)

/** A script of this folder in a process of its own. */
export function startScript(
  script: string,
  options: Record<string, string | number>,
  nodeArgs: readonly string[] = [],
): ChildProcess {
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [...nodeArgs, '--import', 'tsx', path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stderr.pipe(process.stderr)
  return child
}

/** @returns what follows the word on the first line that starts with it */
export function lineOf(child: ChildProcess, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`ended with ${code} before it said ${word}`)))
    if (!child.stdout) return reject(new Error('no output to read'))
    createInterface(child.stdout).on('line', (line) => line.startsWith(word) && resolve(line.slice(word.length).trim()))
  })
}

export interface Measured extends LoadResult {
  callsPerSecond: number
  /** CPU of the measured processes per call, microseconds, in the order of the pids. */
  cpuUsPerCall: number[]
}

/** Runs the load against ports and counts what these processes burn meanwhile, the warm-up left out. */
export async function underLoad(pids: readonly number[], load: Record<string, string | number>): Promise<Measured> {
  const client = startScript('load.ts', load)
  let before: number[] = []
  const result = await new Promise<LoadResult>((resolve, reject) => {
    client.on('exit', (code) => code !== 0 && reject(new Error(`the load ended with ${code}`)))
    if (!client.stdout) return
    createInterface(client.stdout).on('line', (line) => {
      if (line === 'warm') before = pids.map(cpuUs)
      else resolve(JSON.parse(line) as LoadResult)
    })
  })
  const burnt = pids.map((pid, index) => cpuUs(pid) - (before[index] ?? 0))
  return {
    ...result,
    callsPerSecond: result.calls / result.seconds,
    cpuUsPerCall: burnt.map((us) => us / result.calls),
  }
}
