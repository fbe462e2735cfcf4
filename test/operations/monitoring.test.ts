import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { serviceNames } from '@busbar/backbone'
import { type SimulatedStation, StationSocket, simulate } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { tryUpgrade } from '../faults/upgrade.js'
import { hasCommands, output } from '../support/commands.js'
import { type Doors, knock, letIn, makeDoors } from '../support/doors.js'
import { allServices, hasServices, type System, startDistributed, until } from '../support/system.js'
import { toCatalogue } from './catalogue.js'
import { fillIn, readDashboards } from './dashboards.js'
import { deployFolder, Prometheus } from './prometheus.js'

const rulesFolder = path.join(deployFolder, 'prometheus', 'rules')
const rulesFile = path.join(rulesFolder, 'busbar.yml')
const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

interface AlertRule {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: { summary: string; impact: string; runbook: string }
}

async function readRules(): Promise<AlertRule[]> {
  const { groups }: { groups: { rules: AlertRule[] }[] } = parse(await readFile(rulesFile, 'utf8'))
  return groups.flatMap(({ rules }) => rules)
}

test('every alert says what is so, what it means and what to do', async () => {
  for (const { alert, labels, annotations } of await readRules()) {
    expect(['warning', 'critical'], alert).toContain(labels.severity)
    for (const text of [annotations.summary, annotations.impact, annotations.runbook]) {
      expect(text?.length, alert).toBeGreaterThan(10)
    }
  }
})

test('a service is missed as soon as one of all is not run', async () => {
  const rule = (await readRules()).find(({ alert }) => alert === 'BusbarServiceMissing')
  expect(rule?.expr).toContain(`(busbar_consumer_partitions)) < ${serviceNames.length} `)
  expect(rule?.annotations.summary).toContain(`of ${serviceNames.length} services`)
})

test('no two panels of a dashboard overlap, and all are on the datasource of its variable', async () => {
  for (const { file, uid, tags, panels } of await readDashboards()) {
    expect(uid).toBe(`busbar-${file.replace('.json', '')}`)
    expect(tags).toContain('busbar')
    const taken = new Set<string>()
    for (const { title, gridPos: at, datasource } of panels) {
      expect(datasource, title).toEqual({ type: 'prometheus', uid: `\${datasource}` })
      expect(at.x + at.w, title).toBeLessThanOrEqual(24)
      for (let x = at.x; x < at.x + at.w; x++) {
        for (let y = at.y; y < at.y + at.h; y++) {
          expect(taken, `${file}, ${title}`).not.toContain(`${x},${y}`)
          taken.add(`${x},${y}`)
        }
      }
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  }
})

describe.skipIf(!hasCommands('promtool'))('promtool', () => {
  test('takes the configuration', async () => {
    expect(
      await output('promtool', ['check', 'config', path.join(deployFolder, 'prometheus/prometheus.yml')]),
    ).toContain('SUCCESS')
  })

  test('sees the main alerts fire when they should, and only then', async () => {
    await output('promtool', ['test', 'rules', path.join(deployFolder, 'prometheus/rules.test.yml')])
  })
})

const isHere = hasServices() && hasCommands('prometheus', 'promtool')

describe.skipIf(!isHere)('a real Prometheus beside two gateways, two workers and an API', () => {
  let doors: Doors
  let system: System
  let simulation: ReturnType<typeof simulate>
  let prometheus: Prometheus

  beforeAll(async () => {
    doors = await makeDoors()
    system = await startDistributed({ gateways: 2, workers: [allServices, allServices], partitions: 4 }, doors.env)
    await system.api.registerToken('TOKEN-1')
    const stations = Array.from({ length: 6 }, (_, index): SimulatedStation => {
      const protocol = index % 2 === 0 ? 'ocpp1.6' : 'ocpp2.0.1'
      return { id: `METER-${index}`, protocol, password }
    })
    for (const { id } of stations) await system.api.registerStation(id, password)
    prometheus = await Prometheus.start({
      gateway: system.gateways.map(addressOf),
      worker: system.workers.map(addressOf),
      api: [addressOf(system.apiProcess)],
    })
    simulation = simulate({
      urls: system.urls,
      stations,
      scenario: 'charge',
      tokens: ['TOKEN-1'],
      chargeSeconds: 4,
      breakSeconds: 1,
    })
    await until('charges', () => simulation.summary().sessions >= 3)
  })
  afterAll(async () => {
    await simulation?.stop()
    await prometheus?.stop()
    await system?.stop()
    await doors?.remove()
  })

  const addressOf = ({ healthPort }: { healthPort: number }) => `127.0.0.1:${healthPort}`

  test('every metric that a dashboard or an alert names is there', async () => {
    const expressions = [
      ...(await readRules()).map(({ expr }) => expr),
      ...(await readDashboards())
        .flatMap(({ panels }) => panels.flatMap((panel) => panel.targets ?? []))
        .map(({ expr }) => expr),
    ]
    const named = new Set(expressions.flatMap((each) => each.match(/\b(busbar|process|nodejs)_\w+/g) ?? []))
    expect(named.size).toBeGreaterThan(40)
    await until('all of them', async () => {
      const known = await prometheus.names()
      return [...named].every((name) => known.includes(name))
    }).catch(async (cause) => {
      const known = await prometheus.names()
      throw new Error([...named].filter((name) => !known.includes(name)).join(', '), { cause })
    })
  })

  test('every panel of every dashboard has data', async () => {
    await makeTraffic()
    for (const { file, panels, templating } of await readDashboards()) {
      for (const { title, targets = [] } of panels) {
        for (const { expr } of targets) {
          await until(`${file}, ${title}: ${expr}`, async () => {
            const series = await prometheus.query(fillIn(expr, '10m'))
            return series.some(({ value }) => value[1] !== 'NaN')
          })
        }
      }
      for (const { name, type, query } of templating.list) {
        if (type !== 'query' || typeof query === 'string') continue
        const [, metric] = /^label_values\((\w+), instance\)$/.exec(query.query) ?? []
        expect(await prometheus.query(`count by (instance) (${metric})`), name).not.toEqual([])
      }
    }
  })

  /** What the simulated stations do not do by themselves. */
  async function makeTraffic(): Promise<void> {
    expect((await system.api.command('METER-0', 'GetConfiguration', {})).body.status).toBe('accepted')
    const [first] = system.gateways
    await tryUpgrade(first?.port ?? 0, 'NOBODY', 'wrong', '10.0.0.1')
    // A job: the reservation ends by Busbar's own clock, because nobody charges there.
    const station = await open('RESERVED')
    station.on('ReserveNow', () => ({ status: 'Accepted' }))
    const expiresAt = new Date(Date.now() + 2_000).toISOString()
    await system.api.expect('POST', '/stations/RESERVED/reservations', { connector: 1, token: 'TOKEN-1', expiresAt })
    // Hex digits in place of a key's bytes are tolerated, and counted.
    const socket = await letIn(knock(system.secureUrls[0] ?? '', doors, { id: 'METER-5', password }))
    socket.close()
  }

  /** A station that has booted, and does what it is told to do. */
  async function open(id: string): Promise<StationSocket> {
    await system.api.registerStation(id, password)
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'Socket' })
    return station
  }

  test('the catalogue names every metric that is exported, and no other', async () => {
    const roles = { gateway: system.gateways[0], worker: system.workers[0], api: system.apiProcess }
    const texts = await Promise.all(
      Object.entries(roles).map(async ([role, process]) => [role, (await process?.metrics()) ?? ''] as const),
    )
    await expect(toCatalogue(texts)).toMatchFileSnapshot(path.join(deployFolder, 'METRICS.md'))
  })

  test('all rules can be evaluated, and none fires while all is well', async () => {
    const rules = await until('an evaluation of all', async () => {
      const all = await prometheus.rules()
      return all.length > 0 && all.every(({ health }) => health !== 'unknown') && all
    })
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    expect(rules.map(({ name }) => name).sort()).toEqual((await readRules()).map(({ alert }) => alert).sort())
    expect(await prometheus.firing()).toEqual([])
  })

  test('an answer without a decision raises its alert, the first of its kind too', async () => {
    // Nobody else gets one.
    await simulation.stop()
    const station = await open('UNDECIDED')
    for (const worker of system.workers) worker.signal('SIGSTOP')
    try {
      await station.call('StopTransaction', { transactionId: 1, meterStop: 1, timestamp: new Date().toISOString() })
      await until('the alert', async () => (await prometheus.firing()).includes('BusbarSafeAnswers'))
      const counted = await prometheus.query('sum(busbar_gateway_safe_answers_total)')
      expect(counted.map(({ value }) => value[1])).toEqual(['1'])
    } finally {
      for (const worker of system.workers) worker.signal('SIGCONT')
      station.close()
    }
  })
})
