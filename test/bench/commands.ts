import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { StationSocket } from '@busbar/simulator'
import { type System, until } from '../support/system.js'
import { cpuUs } from './measure.js'
import { quantiles } from './quantiles.js'
import { stationId, stationPassword } from './stations.js'

/** Sends ClearCache over the API and waits for the verdict, on sockets that stay open. @returns its status */
function openCommands({ api }: System) {
  const agent = new http.Agent({ keepAlive: true })
  const { hostname, port } = new URL(api.url)
  const headers = { authorization: `Bearer ${api.key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ action: 'ClearCache', payload: {} })
  const send = (id: string) =>
    new Promise<string>((resolve, reject) => {
      const path = `/v1/stations/${id}/commands?wait=10`
      const request = http.request({ hostname, port, agent, path, method: 'POST', headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part) => {
          text += part
        })
        response.on('end', () => resolve((JSON.parse(text) as { status: string }).status))
      })
      request.on('error', reject)
      request.end(body)
    })
  return { send, close: () => agent.destroy() }
}

/** Stations that answer at once. */
async function connect(system: System, count: number): Promise<{ ids: string[]; close(): void }> {
  const ids = Array.from({ length: count }, (_, index) => stationId(index))
  const sockets = await Promise.all(
    ids.map(async (id) => {
      const url = system.urls[0] ?? ''
      const socket = await StationSocket.open({ url, id, protocols: ['ocpp1.6'], password: stationPassword })
      socket.on('ClearCache', () => ({ status: 'Accepted' }))
      return socket
    }),
  )
  return {
    ids,
    close: () => {
      for (const socket of sockets) socket.close()
    },
  }
}

async function online({ database }: System, ids: readonly string[]): Promise<number> {
  const { rowCount } = await database.query('SELECT FROM station_state WHERE online AND station_id = ANY($1)', [ids])
  return rowCount ?? 0
}

/** P12, at an open load of 100/s: milliseconds until the verdict on a command, the station's answer or `undeliverable`. */
export async function roundTrips(
  system: System,
  { perSecond = 100, seconds = 10 } = {},
): Promise<Record<string, number>> {
  const { send, close } = openCommands(system)
  const stations = await connect(system, 50)
  const measure = async (ids: readonly string[], expected: string) => {
    const times: number[] = []
    let failed = 0
    const one = async (index: number) => {
      const sentAt = performance.now()
      const status = await send(ids[index % ids.length] ?? '')
      if (status === expected) times.push(performance.now() - sentAt)
      else failed += 1
    }
    for (let index = 0; index < perSecond; index += 1) await one(index)
    times.length = 0
    const open: Promise<void>[] = []
    for (let index = 0; index < perSecond * seconds; index += 1) {
      open.push(one(index))
      await sleep(1_000 / perSecond)
    }
    await Promise.all(open)
    const at = quantiles(times)
    return { p50: at(0.5), p99: at(0.99), commands: times.length, failed }
  }
  const answered = await measure(stations.ids, 'accepted')
  stations.close()
  await until('they have left', async () => (await online(system, stations.ids)) === 0)
  const nobody = await measure(stations.ids, 'undeliverable')
  close()
  return { ...answered, notConnectedP50: nobody.p50, notConnectedP99: nobody.p99, notConnectedFailed: nobody.failed }
}

/** P11: as many commands as the system takes from so many callers; CPU of the processes per command. */
export async function throughput(system: System, { callers = 128, seconds = 5 } = {}): Promise<Record<string, number>> {
  const { send, close } = openCommands(system)
  const stations = await connect(system, 2 * callers)
  const processes = { api: system.apiProcess, gateway: system.gateways[0], worker: system.workers[0] }
  const burnt = () => Object.values(processes).map((process) => cpuUs(process?.child.pid ?? 0))
  let accepted = 0
  let failed = 0
  let running = true
  const call = async (caller: number) => {
    for (let turn = 0; running; turn += 1) {
      const status = await send(stations.ids[(caller + callers * (turn % 2)) % stations.ids.length] ?? '')
      if (status === 'accepted') accepted += 1
      else failed += 1
    }
  }
  const calls = Array.from({ length: callers }, (_, caller) => call(caller))
  await sleep(3_000)
  accepted = 0
  const [startedAt, before] = [performance.now(), burnt()]
  await sleep(seconds * 1_000)
  const [elapsed, after, commands] = [performance.now() - startedAt, burnt(), accepted]
  running = false
  await Promise.all(calls)
  stations.close()
  close()
  const us = Object.keys(processes).map((name, index) => [
    `${name}Us`,
    ((after[index] ?? 0) - (before[index] ?? 0)) / commands,
  ])
  return { commandsPerSecond: (1_000 * commands) / elapsed, ...Object.fromEntries(us), failed }
}
