import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiClient } from '../../support/api-client.js'
import { Neighbours, type Rig } from '../rig.js'
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
  sizes: { small: { seconds: 8, neighbours: 5 }, full: { seconds: 60, neighbours: 20 } },
  async run(rig, { seconds, neighbours: living }) {
    const { api } = rig.system
    const { key, id } = await api.expect<{ key: string; id: string }>('POST', '/api-keys', {
      name: 'T20',
      role: 'auditor',
    })
    const neighbours = await Neighbours.open(rig, 'QUIET', living)
    const calm = await neighbours.during(sleep(seconds * 1_000))
    const flooding = flood(`${api.url}/v1`, key, (perMinute * 10) / 60, seconds)
    const busy = await neighbours.during(flooding)
    const statuses = await flooding
    neighbours.close()
    const others = await api.request('GET', '/stations?limit=1')
    const caps = await new ApiClient(api.url, api.key).request('GET', `/stations?limit=${longestPage + 1}`)
    const slow = await askLocked(rig)
    await api.expect('DELETE', `/api-keys/${id}`)
    const minutes = Math.ceil(seconds / 60)
    const served = statuses.get(200) ?? 0
    const strange = [...statuses].filter(([status]) => ![200, 429, 503].includes(status))
    return {
      injected: `${[...statuses.values()].reduce((sum, count) => sum + count, 0)} requests in ${seconds} s with one key`,
      figures: [
        none(
          'answers of another kind',
          strange.map(([status, count]) => `${count} of ${status}`),
        ),
        none('served beyond the limit', served > perMinute * minutes ? [`${served} in ${minutes} minutes`] : []),
        exactly('another key meanwhile', others.status, 200),
        exactly('a page that is too long', caps.status, 400),
        exactly('a query that takes too long', slow.status, 503),
        atMost('and takes', slow.milliseconds, statementTimeoutMs + 2_000, 'ms'),
        none('stations refused', neighbours.troubles),
        atMost("stations' p99 against calm", busy.at(0.99) / calm.at(0.99), 1.2, 'x'),
        shown('p99 calm', calm.at(0.99), 'ms'),
        shown('p99 in the flood', busy.at(0.99), 'ms'),
        shown('answers', [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')),
      ],
    }
  },
})

/** So many requests a second over a few connections, until the time is over. @returns how many got which status; 0: none */
async function flood(url: string, key: string, perSecond: number, seconds: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 })
  const asked: Promise<void>[] = []
  const startedAt = performance.now()
  for (let elapsed = 0; elapsed < seconds * 1_000; elapsed = performance.now() - startedAt) {
    for (const due = (elapsed / 1_000) * perSecond; asked.length < due; ) {
      const path = costly[asked.length % costly.length] ?? ''
      asked.push(
        ask(`${url}${path}`, key, agent).then((status) => void statuses.set(status, (statuses.get(status) ?? 0) + 1)),
      )
    }
    await sleep(5)
  }
  await Promise.all(asked)
  agent.destroy()
  return statuses
}

function ask(url: string, key: string, agent: http.Agent): Promise<number> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent, headers: { authorization: `Bearer ${key}` } }, (response) => {
      response.resume()
      response.once('close', () => resolve(response.statusCode ?? 0))
    })
    request.once('error', () => resolve(0))
  })
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
