import { access, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ConfigError, parseConfig } from '../../packages/busbar/src/config.js'
import { output } from '../support/commands.js'
import { deployFolder } from './prometheus.js'

interface Service {
  image: string
  build?: object
  command?: string[]
  user?: string
  read_only?: boolean
  restart?: string
  depends_on?: Record<string, { condition: string }> | string[]
  environment?: Record<string, string>
  secrets?: string[]
  volumes?: string[]
  healthcheck?: { test?: string[]; disable?: boolean }
  stop_grace_period?: string
  logging?: object
  deploy: { replicas?: number; resources: { limits: { cpus: string; memory: string } } }
}

interface Compose {
  services: Record<string, Service>
  networks: Record<string, object>
  volumes: Record<string, null>
  secrets: Record<string, { file: string }>
}

const file = path.join(deployFolder, 'compose.yaml')
let compose: Compose
let secretsFolder: string

beforeAll(async () => {
  compose = parse(await readFile(file, 'utf8'), { merge: true })
  secretsFolder = await mkdtemp(path.join(tmpdir(), 'busbar-secrets-'))
  await output(path.join(deployFolder, 'make-secrets.sh'), [secretsFolder])
})
afterAll(() => rm(secretsFolder, { recursive: true }))

const services = () => Object.entries(compose.services)
const busbars = () => services().filter(([, { build }]) => build !== undefined)

/** What a process of the service finds in its environment. */
function environmentOf({ environment = {} }: Service): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace('/run/secrets', secretsFolder).replace(/\$\{PUBLIC_HOST:\?[^}]*\}/, 'csms.example.com'),
    ]),
  )
}

test('the file keeps the schema of the Compose specification', async () => {
  await output('npx', ['dclint', '--quiet', file])
})

test('there are two gateways behind the proxy, two workers, an API, and a migration before all of them', () => {
  const roles = busbars().map(([name, { command, deploy }]) => [name, command?.[0], deploy.replicas ?? 1])
  expect(roles).toEqual([
    ['gateway-1', 'gateway', 1],
    ['gateway-2', 'gateway', 1],
    ['worker', 'worker', 2],
    ['api', 'api', 1],
    ['migrate', 'migrate', 1],
  ])
  for (const [name, { depends_on: after }] of busbars()) {
    if (name === 'migrate') expect(Object.keys(after ?? {})).toEqual(['postgres', 'kafka-1', 'kafka-2', 'kafka-3'])
    else expect(after).toMatchObject({ migrate: { condition: 'service_completed_successfully' } })
  }
})

test('every process of Busbar would start with what it is given, in production too', () => {
  for (const [name, service] of busbars()) {
    const { setUp, values } = parseConfig(environmentOf(service))
    expect(setUp, name).toMatchObject({
      kind: 'distributed',
      brokers: ['kafka-1:9092', 'kafka-2:9092', 'kafka-3:9092'],
    })
    expect(values, name).toMatchObject({ DEV: false, DEV_SERVICES: false, TRUSTED_PROXIES: ['172.30.77.2'] })
  }
})

test('no secret has a default: without its file nothing starts', async () => {
  const [, gateway] = busbars()[0] ?? []
  if (!gateway) throw new Error('no gateway')
  const environment = environmentOf(gateway)
  const secretFiles = Object.keys(environment).filter((name) => name.endsWith('_FILE'))
  expect(secretFiles).toHaveLength(4)
  for (const name of secretFiles) {
    expect(() => parseConfig({ ...environment, [name]: '/run/secrets/none' }), name).toThrow(ConfigError)
  }
  expect(await readFile(file, 'utf8')).not.toMatch(/PASSWORD: [^/\s]|\$\{\w*(PASSWORD|SECRET)/)
})

test('secrets are made once, random, readable by containers and by nobody who may not enter their folder', async () => {
  const read = () =>
    Promise.all(
      Object.values(compose.secrets).map(({ file: each }) =>
        readFile(path.join(secretsFolder, path.basename(each)), 'utf8'),
      ),
    )
  const made = await read()
  expect(new Set(made).size).toBe(made.length)
  for (const each of made) expect(each).toMatch(/[0-9a-f]{64}/)
  await output(path.join(deployFolder, 'make-secrets.sh'), [secretsFolder])
  expect(await read()).toEqual(made)
  expect((await stat(secretsFolder)).mode & 0o777).toBe(0o700)
  expect((await stat(path.join(secretsFolder, 'busbar_secret'))).mode & 0o777).toBe(0o444)
})

test('every variable of ours that deploy/ names is a setting', async () => {
  const files = ['compose.yaml', 'Dockerfile', 'README.md', 'haproxy/haproxy.cfg', 'prometheus/rules/busbar.yml']
  for (const each of files) {
    const text = await readFile(path.join(deployFolder, each), 'utf8')
    for (const [name] of text.matchAll(/\bBUSBAR_[A-Z0-9_]*[A-Z0-9]\b/g)) {
      if (name.startsWith('BUSBAR_SERVICES_')) continue
      // Not for its value: only an unknown name is told as one.
      expect(problemsOf({ [name]: 'x' }), `${each}: ${name}`).not.toContain(`${name}: no such setting`)
    }
  }
})

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env)
    return []
  } catch (cause) {
    if (cause instanceof ConfigError) return cause.problems
    throw cause
  }
}

test('everything is bounded, comes back, and says how it is', () => {
  for (const [name, { deploy, restart, healthcheck, logging, build }] of services()) {
    expect(deploy.resources.limits, name).toEqual({ cpus: expect.any(String), memory: expect.any(String) })
    expect(restart, name).toMatch(/^(unless-stopped|on-failure:5)$/)
    expect(logging, name).toBeDefined()
    // That of the image, where there is none.
    if (!build) expect(healthcheck?.test?.length, name).toBeGreaterThan(1)
  }
  for (const [name, { user, read_only: isReadOnly }] of busbars()) {
    expect([user, isReadOnly], name).toEqual(['65532:65532', true])
  }
})

test('a gateway is given longer to leave than it may take to drain', () => {
  for (const name of ['gateway-1', 'gateway-2']) {
    const service = compose.services[name]
    if (!service) throw new Error(name)
    const { GATEWAY_DRAIN_SECONDS: drain } = parseConfig(environmentOf(service)).values
    // What is in flight at the last socket, and the closes.
    expect(Number(service.stop_grace_period?.replace('s', ''))).toBeGreaterThanOrEqual(drain + 10 + 5)
  }
})

test('whatever is mounted or named is there', async () => {
  for (const [name, { volumes = [], secrets = [] }] of services()) {
    for (const volume of volumes) {
      const [source = ''] = volume.split(':')
      // Made by the operator: certificates.
      if (source === './tls') continue
      if (source.startsWith('.')) await access(path.join(deployFolder, source))
      else expect(Object.keys(compose.volumes), name).toContain(source)
    }
    for (const secret of secrets) expect(Object.keys(compose.secrets), name).toContain(secret)
  }
  const prometheus = parse(await readFile(path.join(deployFolder, 'prometheus/prometheus.yml'), 'utf8'))
  const scraped = prometheus.scrape_configs.flatMap((job: { dns_sd_configs: { names: string[] }[] }) =>
    job.dns_sd_configs.flatMap(({ names }) => names),
  )
  const proxied = [
    ...(await readFile(path.join(deployFolder, 'haproxy/haproxy.cfg'), 'utf8')).matchAll(/^\s+server \S+ ([\w-]+):/gm),
  ]
  for (const name of [...scraped, ...proxied.map(([, host]) => host)]) {
    expect(Object.keys(compose.services)).toContain(name)
  }
  expect(scraped).toEqual(
    expect.arrayContaining(
      busbars()
        .map(([name]) => name)
        .filter((name) => name !== 'migrate'),
    ),
  )
})
