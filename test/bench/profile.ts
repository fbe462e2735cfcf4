import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { binary } from '../support/processes.js'
import type { Product } from './product.js'

interface Frame {
  functionName: string
  url: string
  /** Counted from 0. */
  lineNumber: number
}

interface CpuProfile {
  nodes: { id: number; callFrame: Frame }[]
  samples: number[]
  timeDeltas: number[]
}

/** Where the time of each process went while it did one thing, as lines of text. */
export async function profileOf(
  start: (folder: string) => Promise<Product>,
  work: (product: Product) => Promise<unknown>,
): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-profile-'))
  const product = await start(folder)
  const { apiProcess: api, gateways, workers } = product.system
  const processes = { gateway: gateways[0], worker: workers[0], api }
  await work(product)
  await product.system.stop()
  const files = await readdir(folder)
  const sourceAt = await readSources()
  const lines: string[] = []
  for (const [name, process] of Object.entries(processes)) {
    const pid = process?.child.pid
    const file = files.find((each) => each.includes(`.${pid}.`))
    if (!file) throw new Error(`No profile of process ${pid}`)
    const profile = JSON.parse(await readFile(path.join(folder, file), 'utf8')) as CpuProfile
    lines.push(`${name}: ${summarize(profile, sourceAt)}`)
  }
  await rm(folder, { recursive: true })
  return lines
}

type SourceAt = (line: number) => string

/** Of which file a line of the binary is: the bundler names each above what it took from it. */
async function readSources(): Promise<SourceAt> {
  const lines = (await readFile(binary, 'utf8')).split('\n')
  const sources = lines.flatMap((text, line) => {
    const [, source] = /^\/\/ ((?:\.\.|src)\/\S+)$/.exec(text) ?? []
    return source ? [{ line, source }] : []
  })
  return (line) => sources.findLast((each) => each.line <= line)?.source ?? ''
}

/** Shares by library, our own functions by name; idle time and the loading of modules left out. */
function summarize({ nodes, samples, timeDeltas }: CpuProfile, sourceAt: SourceAt): string {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, { ...callFrame, part: partOf(callFrame, sourceAt) }]))
  const byPart = new Map<string, number>()
  const ours = new Map<string, number>()
  let total = 0
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)
    if (!frame?.part) continue
    const { part } = frame
    const us = timeDeltas[index] ?? 0
    total += us
    byPart.set(part, (byPart.get(part) ?? 0) + us)
    if (part === 'busbar') ours.set(frame.functionName, (ours.get(frame.functionName) ?? 0) + us)
  }
  const shares = (of: Map<string, number>, count: number) =>
    [...of]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, count)
      .map(([name, us]) => `${name || '(unnamed)'} ${((100 * us) / total).toFixed(1)} %`)
      .join(', ')
  return `${shares(byPart, 8)}. Of ours: ${shares(ours, 8)}`
}

/** @returns null for what is not work */
function partOf({ functionName, url, lineNumber }: Frame, sourceAt: SourceAt): string | null {
  if (functionName === '(idle)' || functionName === '(program)' || functionName === '(root)') return null
  if (/node:internal\/(modules|bootstrap|deps\/cjs)|^node:fs$/.test(url)) return null
  // The bundler's own, around each module.
  if (/^__(require|commonJS|esm|export|copyProps|toESM|toCommonJS)\d*$/.test(functionName)) return null
  if (functionName === '(garbage collector)') return 'garbage collection'
  const isOfBinary = url.endsWith('busbar.js')
  const source = isOfBinary ? sourceAt(lineNumber) : url
  if (source.includes('node_modules/')) {
    const [scope = '', name = ''] = source.slice(source.lastIndexOf('node_modules/') + 13).split('/')
    return scope.startsWith('@') ? `${scope}/${name}` : scope
  }
  if (isOfBinary) return 'busbar'
  return url.startsWith('node:') ? 'node' : 'native'
}
