import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDistributed } from '../support/system.js'
import { Inspector, inspectable } from './inspector.js'
import { cpuUs, lineOf, rssBytes, startScript } from './measure.js'
import { workerServices } from './product.js'
import { registerStations, stationPassword } from './stations.js'

const stations = 10_000
/** So many, because the code of functions that are used no more goes only after some. */
const collections = 8
/** Held throughout: what the process grows by once, it has grown by then. */
const warmUp = 2_000

/** P8 and P9: what an idle station holds, and what its connecting costs, at the gateway and at a bare `ws` server. */
export async function measureConnections(): Promise<Record<string, number>> {
  const echo = startScript('reference.ts', { role: 'echo' }, inspectable)
  const reference = await connectAll(echo, await lineOf(echo, 'ready '), '', 2)
  echo.kill('SIGKILL')
  const size = { gateways: 1, workers: Object.values(workerServices) }
  const system = await startDistributed(
    { ...size, partitions: 12, nodeArgs: inspectable },
    { BUSBAR_LOG_LEVEL: 'warn' },
  )
  try {
    await registerStations(system, warmUp + stations)
    const [gateway] = system.gateways
    if (!gateway) throw new Error('there is no gateway')
    const product = await connectAll(gateway.child, gateway.port, stationPassword, 3)
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
async function connectAll(server: ChildProcess, port: number | string, password: string, network: number) {
  const inspector = await Inspector.open(server)
  const { pid = 0 } = server
  const connect = async (first: number, count: number) => {
    const client = startScript('idle.ts', { port, password, first, stations: count, from: `127.0.0.${network}` })
    await lineOf(client, 'open')
    return client
  }
  const rssAtRest = async () => {
    // What the connections brought is on its way yet.
    await sleep(3_000)
    for (let turn = 0; turn < collections; turn += 1) await inspector.collectGarbage()
    return rssBytes(pid)
  }
  const warm = await connect(0, warmUp)
  const before = { rss: await rssAtRest(), us: cpuUs(pid) }
  const rest = await connect(warmUp, stations)
  const us = cpuUs(pid) - before.us
  const bytes = (await rssAtRest()) - before.rss
  for (const client of [warm, rest]) client.kill('SIGKILL')
  inspector.close()
  return { bytes: bytes / stations, us: us / stations }
}
