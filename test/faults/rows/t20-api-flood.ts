import { execFile, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ApiClient } from '../../support/api-client.js'
import { endWithUs, freePort, until } from '../../support/processes.js'
import { type Latencies, Neighbours, type Rig } from '../rig.js'
import { atMost, exactly, none, row, shown } from '../row.js'

/** What one key may ask in a minute, and the longest page. */
const [perMinute, longestPage] = [12_000, 200]
const statementTimeoutMs = 5_000

/** What costs the database most: long pages, and searches that no index serves. */
const costly = [
  `/transactions?limit=${longestPage}`,
  `/journal?limit=${longestPage}`,
  `/audit?limit=${longestPage}`,
  `/stations?limit=${longestPage}`,
  '/stations?search=e',
  '/reservations?limit=200',
]

export const apiFlood = row({
  id: 'T20',
  fault: 'one key asks ten times what it may, costly things, while stations go about their day',
  sizes: { small: { seconds: 8, neighbours: 10 }, full: { seconds: 60, neighbours: 20 } },
  async run(rig, { seconds, neighbours: living }) {
    const { api } = rig.system
    const { key, id } = await api.expect<{ key: string; id: string }>('POST', '/api-keys', {
      name: 'T20',
      role: 'auditor',
    })
    const neighbours = await Neighbours.open(rig, 'QUIET', living)
    const calm = await neighbours.during(sleep(seconds * 1_000))
    const beside = await besideBareServer(neighbours, key, seconds)
    const flooding = flood(`${api.url}/v1`, key, seconds)
    const busy = await neighbours.during(flooding)
    const statuses = await flooding
    neighbours.close()
    const others = await api.request('GET', '/stations?limit=1')
    const caps = await new ApiClient(api.url, api.key).request('GET', `/stations?limit=${longestPage + 1}`)
    const slow = await askLocked(rig)
    await api.expect('DELETE', `/api-keys/${id}`)
    // Those of the last moment wait for their turn, up to a second.
    const most = perMinute * Math.ceil(seconds / 60) + (perMinute / 60) * 2
    const served = statuses.get(200) ?? 0
    const strange = [...statuses].filter(([status]) => ![200, 429, 503].includes(status))
    return {
      injected: `${[...statuses.values()].reduce((sum, count) => sum + count, 0)} requests in ${seconds} s with one key`,
      figures: [
        none(
          'answers of another kind',
          strange.map(([status, count]) => `${count} of ${status}`),
        ),
        none('served beyond the limit', served > most ? [`${served} in ${seconds} s`] : []),
        exactly('another key meanwhile', others.status, 200),
        exactly('a page that is too long', caps.status, 400),
        exactly('a query that takes too long', slow.status, 503),
        atMost('and takes', slow.milliseconds, statementTimeoutMs + 2_000, 'ms'),
        none('stations refused', neighbours.troubles),
        atMost("stations' p99 against a flood that costs nothing", busy.at(0.99) / beside.at(0.99), 1.2, 'x'),
        shown('p99 calm', calm.at(0.99), 'ms'),
        shown('p99 beside a flood that costs nothing', beside.at(0.99), 'ms'),
        shown('p99 in the flood', busy.at(0.99), 'ms'),
        shown('answers', [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')),
      ],
    }
  },
})

const flooder = fileURLToPath(new URL('../api-flooder.ts', import.meta.url))

/** @returns how many requests got which status; 0: none */
async function flood(url: string, key: string, seconds: number): Promise<Map<number, number>> {
  const options = { url, key, seconds, perSecond: (perMinute * 10) / 60, paths: costly.join(',') }
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', flooder, ...args])
  return new Map(Object.entries(JSON.parse(stdout)).map(([status, count]) => [Number(status), Number(count)]))
}

/** Refuses all, as cheaply as can be. */
const bareServer = `
  require('node:http').createServer((_, response) => response.writeHead(429).end()).listen(process.argv[1], '127.0.0.1')`

/** Stations beside the same flood, where it costs the product nothing: the flooder itself takes its share of the machine. */
async function besideBareServer(neighbours: Neighbours, key: string, seconds: number): Promise<Latencies> {
  const port = await freePort()
  const server = spawn(process.execPath, ['-e', bareServer, String(port)], { stdio: 'ignore' })
  endWithUs(server)
  const url = `http://127.0.0.1:${port}`
  await until('the bare server answers', async () => (await fetch(url).catch(() => null)) !== null)
  try {
    return await neighbours.during(flood(url, key, seconds))
  } finally {
    server.kill()
  }
}

/** A query that cannot go on: another holds the table. */
async function askLocked({ system: { api, database } }: Rig): Promise<{ status: number; milliseconds: number }> {
  const holder = await database.connect()
  try {
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE site IN ACCESS EXCLUSIVE MODE')
    const startedAt = performance.now()
    const { status } = await api.request('GET', '/sites')
    return { status, milliseconds: performance.now() - startedAt }
  } finally {
    await holder.query('ROLLBACK')
    holder.release()
  }
}
