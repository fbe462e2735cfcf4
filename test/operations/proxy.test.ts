import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { VirtualStation } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasCommands, output } from '../support/commands.js'
import { type Doors, knock, makeDoors, operatorName, statusOf } from '../support/doors.js'
import { freePort } from '../support/processes.js'
import { allServices, hasServices, type System, startDistributed, until } from '../support/system.js'
import { deployFolder } from './prometheus.js'

const configFile = path.join(deployFolder, 'haproxy', 'haproxy.cfg')
const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

describe.skipIf(!hasServices() || !hasCommands('haproxy'))(
  'HAProxy with its configuration in front of two gateways',
  () => {
    let doors: Doors
    let system: System
    let folder: string
    let haproxy: ChildProcess
    let ports: { plain: number; secure: number; api: number; metrics: number }
    const url = (kind: 'ws' | 'wss') => `${kind}://127.0.0.1:${kind === 'ws' ? ports.plain : ports.secure}/ocpp`

    beforeAll(async () => {
      doors = await makeDoors()
      system = await startDistributed(
        { gateways: 2, workers: [allServices], partitions: 4 },
        {
          BUSBAR_TRUSTED_PROXIES: '127.0.0.1',
          BUSBAR_GATEWAY_CERTIFICATE_HEADER: 'X-Client-Cert',
          BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1',
          BUSBAR_GATEWAY_DRAIN_SECONDS: '2',
          BUSBAR_OPERATOR_NAME: operatorName,
        },
      )
      const { certificate } = doors.stationRoot
      await system.api.expect('POST', '/trust-anchors', { name: 'Stations', certificate })
      folder = await mkdtemp(path.join(tmpdir(), 'busbar-haproxy-'))
      ports = { plain: await freePort(), secure: await freePort(), api: await freePort(), metrics: await freePort() }
      const { chain, key } = await doors.renew('ec')
      await writeFile(path.join(folder, 'server.pem'), `${key}\n${chain}`)
      await writeFile(path.join(folder, 'station-roots.pem'), certificate)
      await writeFile(path.join(folder, 'haproxy.cfg'), await here())
      const log = openSync(path.join(folder, 'haproxy.log'), 'a')
      haproxy = spawn('haproxy', ['-f', path.join(folder, 'haproxy.cfg')], { stdio: ['ignore', log, log] })
      await until('both gateways in use', async () => {
        if (haproxy.exitCode !== null) throw new Error(await readFile(path.join(folder, 'haproxy.log'), 'utf8'))
        return (await serversUp()) === 2
      })
    })
    afterAll(async () => {
      haproxy?.kill('SIGTERM')
      await system?.stop()
      await doors?.remove()
      await rm(folder, { recursive: true, force: true })
    })

    /** The configuration, with the addresses of this machine in place of those of the containers. */
    async function here(): Promise<string> {
      const [first, second] = system.gateways
      const at = (process: System['apiProcess'] | undefined) => `127.0.0.1:${process?.port} port ${process?.healthPort}`
      const moved = [
        ['bind :9000', `bind 127.0.0.1:${ports.plain}`],
        ['bind :9443', `bind 127.0.0.1:${ports.secure}`],
        ['bind :8443', `bind 127.0.0.1:${ports.api}`],
        ['bind :8404', `bind 127.0.0.1:${ports.metrics}`],
        ['gateway-1:9000 port 8081', at(first)],
        ['gateway-2:9000 port 8081', at(second)],
        ['api:8080 port 8080', at(system.apiProcess)],
        ['/etc/haproxy/tls', folder],
      ] as const
      let text = await readFile(configFile, 'utf8')
      for (const [from, to] of moved) {
        expect(text).toContain(from)
        text = text.replaceAll(from, to)
      }
      return text
    }

    const metrics = async () =>
      (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`).catch(() => null))?.text() ?? ''
    const serversUp = async () =>
      [...(await metrics()).matchAll(/^haproxy_server_status\{proxy="gateways",server="\S+",state="UP"\} 1$/gm)].length

    const refused = () => system.api.get<{ items: { stationId: string; address: string }[] }>('/refused-attempts')
    const gatewayOf = async (id: string) =>
      (await system.api.get<{ connection: { online: boolean; gateway: string } }>(`/stations/${id}`)).connection

    test('the configuration is taken as it is', async () => {
      await writeFile(
        path.join(folder, 'as-it-is.cfg'),
        (await readFile(configFile, 'utf8')).replaceAll('/etc/haproxy/tls', folder),
      )
      await output('haproxy', ['-c', '-f', path.join(folder, 'as-it-is.cfg')])
    })

    test('a station comes in by each security profile, and by no other', async () => {
      const id = 'PROFILES'
      await system.api.registerStation(id, password)
      const identity = await doors.stationRoot.issue({ commonName: id, organization: operatorName })
      const stranger = await doors.serverRoot.issue({ commonName: id, organization: operatorName })
      await until('the trust anchor', async () => (await statusOf(knock(url('wss'), doors, { id, identity }))) === 101)
      await system.api.expect('PATCH', `/stations/${id}`, { securityProfile: 1 })

      expect(await statusOf(knock(url('ws'), doors, { id, password: 'wrong' }))).toBe(401)
      expect(await statusOf(knock(url('ws'), doors, { id, password }))).toBe(101)
      expect(await statusOf(knock(url('wss'), doors, { id, password }))).toBe(101)
      expect(await statusOf(knock(url('ws'), doors, { id, password }))).toBe(403)
      expect(await statusOf(knock(url('wss'), doors, { id, identity: stranger }))).toBe(403)
      expect(await statusOf(knock(url('wss'), doors, { id, identity }))).toBe(101)
      await until('profile 3 in the books', async () => {
        const { provenProfile } = await system.api.get<{ provenProfile: number }>(`/stations/${id}`)
        return provenProfile === 3
      })
    })

    test('a certificate that a caller writes into the header itself opens nothing', async () => {
      const id = 'FORGED'
      await system.api.registerStation(id, password, { securityProfile: 3 })
      const { chain } = await doors.stationRoot.issue({ commonName: id, organization: operatorName })
      const headers = { 'X-Client-Cert': encodeURIComponent(chain), 'X-Forwarded-Proto': 'https' }
      for (const kind of ['ws', 'wss'] as const) {
        expect(await statusOf(knock(url(kind), doors, { id, headers })), kind).toBe(403)
      }
    })

    test("a gateway sees the caller's own address, whatever the caller says", async () => {
      const caller = { id: 'NOBODY', password, address: '203.0.113.9', localAddress: '127.0.0.7' }
      expect(await statusOf(knock(url('ws'), doors, caller))).toBe(404)
      const { items } = await refused()
      expect(items.find(({ stationId }) => stationId === 'NOBODY')?.address).toBe('127.0.0.7')
    })

    test('the API is reached over TLS, its metrics and health are not', async () => {
      const get = (target: string) =>
        new Promise<number>((resolve, reject) => {
          const headers = { authorization: `Bearer ${system.api.key}` }
          const options = { port: ports.api, path: target, ca: doors.serverRoot.certificate, headers }
          request({ host: '127.0.0.1', ...options }, (response) => resolve(response.resume().statusCode ?? 0))
            .once('error', reject)
            .end()
        })
      expect(await get('/v1/stations')).toBe(200)
      expect(await Promise.all(['/metrics', '/readyz', '/healthz'].map(get))).toEqual([404, 404, 404])
    })

    test('stations of a gateway that drains go to the other, and commands reach them there', async () => {
      const ids = Array.from({ length: 6 }, (_, index) => `MOVES-${index}`)
      for (const id of ids) await system.api.registerStation(id, password)
      const stations = ids.map(
        (id) => new VirtualStation({ id, password, protocol: 'ocpp1.6', urls: [url('ws')], reconnectMs: 200 }),
      )
      await Promise.all(stations.map((station) => station.start()))
      const homes = async () => {
        const shown = await Promise.all(ids.map(gatewayOf))
        return shown.every(({ online }) => online) ? new Set(shown.map(({ gateway }) => gateway)).size : 0
      }
      await until('both gateways have some', async () => (await homes()) === 2)

      const [leaving] = system.gateways
      leaving?.signal('SIGTERM')
      expect(await leaving?.exited).toBe(0)
      await until('all are back', () => stations.every(({ isOnline }) => isOnline))
      await until('one gateway has all', async () => (await homes()) === 1)
      const verdicts = await Promise.all(ids.map((id) => system.api.command(id, 'ClearCache', {})))
      expect(verdicts.map(({ body }) => body.status)).toEqual(ids.map(() => 'accepted'))

      await Promise.all(stations.map((station) => station.stop()))
    })

    test('while no gateway is there, stations are told when to come back', async () => {
      await Promise.all(system.gateways.map((gateway) => gateway.stop()))
      await until('none in use', async () => (await serversUp()) === 0)
      const answer = await fetch(`http://127.0.0.1:${ports.plain}/ocpp/ANY`)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '30'])
    })
  },
)
