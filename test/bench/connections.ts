import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import { freePort } from '../support/processes.js'
import { startDistributed, until } from '../support/system.js'
import { cpuUs, lineOf, startScript } from './measure.js'
import { workerServices } from './product.js'
import { registerStations, stationPassword } from './stations.js'

const stations = 10_000
/** So many, because the code of functions that are used no more goes only after some. */
const collections = 8
/** Held throughout: what the process grows by once, it has grown by then. */
const warmUp = 2_000

/** P8 and P9: what an idle station holds, and what its connecting costs, at the gateway and at a bare `ws` server. */
export async function measureConnections(): Promise<Record<string, number>> {
  const inspectPort = await freePort()
  const nodeArgs = [`--inspect-port=127.0.0.1:${inspectPort}`]
  const echo = startScript('reference.ts', { role: 'echo' }, nodeArgs)
  const reference = await connectAll(echo.pid ?? 0, await lineOf(echo, 'ready '), inspectPort, '', 2)
  echo.kill('SIGKILL')
  const size = { gateways: 1, workers: Object.values(workerServices) }
  const system = await startDistributed({ ...size, partitions: 12, nodeArgs }, { BUSBAR_LOG_LEVEL: 'warn' })
  try {
    await registerStations(system, warmUp + stations)
    const [gateway] = system.gateways
    const product = await connectAll(gateway?.child.pid ?? 0, gateway?.port ?? 0, inspectPort, stationPassword, 3)
    return {
      referenceBytes: reference.bytes,
      bytes: product.bytes,
      bytesRatio: product.bytes / reference.bytes,
      referenceUs: reference.us,
      us: product.us,
      usRatio: product.us / reference.us,
    }
  } finally {
    await system.stop()
  }
}

/** @param network 127.0.0.n is where they connect from: closed sockets keep their ports for a minute */
async function connectAll(pid: number, port: number | string, inspectPort: number, password: string, network: number) {
  const collectGarbage = await openInspector(pid, inspectPort)
  const connect = async (first: number, count: number) => {
    const client = startScript('idle.ts', { port, password, first, stations: count, from: `127.0.0.${network}` })
    await lineOf(client, 'open')
    return client
  }
  const rssAtRest = async () => {
    // What the connections brought is on its way yet.
    await sleep(3_000)
    for (let turn = 0; turn < collections; turn += 1) await collectGarbage()
    return rss(pid)
  }
  const warm = await connect(0, warmUp)
  const before = { rss: await rssAtRest(), us: cpuUs(pid) }
  const rest = await connect(warmUp, stations)
  const us = cpuUs(pid) - before.us
  const bytes = (await rssAtRest()) - before.rss
  for (const client of [warm, rest]) client.kill('SIGKILL')
  return { bytes: bytes / stations, us: us / stations }
}

function rss(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return Number(pages) * 4_096
}

/** @returns collects all garbage of the process */
async function openInspector(pid: number, port: number): Promise<() => Promise<void>> {
  process.kill(pid, 'SIGUSR1')
  const [target] = await until('the inspector', () =>
    fetch(`http://127.0.0.1:${port}/json/list`).then(
      (response) => response.json() as Promise<{ webSocketDebuggerUrl: string }[]>,
      () => null,
    ),
  )
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '')
  await new Promise((resolve) => socket.once('open', resolve))
  let id = 0
  return () =>
    new Promise((resolve) => {
      const asked = ++id
      const answered = (data: WebSocket.RawData) => {
        if ((JSON.parse(String(data)) as { id?: number }).id !== asked) return
        socket.off('message', answered)
        resolve()
      }
      socket.on('message', answered)
      socket.send(JSON.stringify({ id: asked, method: 'HeapProfiler.collectGarbage' }))
    })
}
