import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

/**
 * Asks an API so many times a second over many connections, until the time is over; what finds none of them free is not
 * asked. In a process of its own, for what it costs must not delay the stations of the test. Prints how many requests got
 * which status, 0 for none, as JSON.
 */
const { values: given } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    key: { type: 'string', default: '' },
    perSecond: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1' },
    /** One after the other, comma-separated. */
    paths: { type: 'string', default: '' },
  },
})
const [perSecond, milliseconds] = [Number(given.perSecond), Number(given.seconds) * 1_000]
const paths = given.paths.split(',')
const connections = 500
const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
const headers = { authorization: `Bearer ${given.key}` }
const statuses: Record<number, number> = {}

function ask(path: string): Promise<void> {
  return new Promise((resolve) => {
    const done = (status: number) => {
      statuses[status] = (statuses[status] ?? 0) + 1
      resolve()
    }
    const request = http.get(`${given.url}${path}`, { agent, headers }, (response) => {
      response.resume()
      response.once('close', () => done(response.statusCode ?? 0))
    })
    request.once('error', () => done(0))
  })
}

const open = new Set<Promise<void>>()
const startedAt = performance.now()
let turns = 0
for (let elapsed = 0; elapsed < milliseconds; elapsed = performance.now() - startedAt) {
  for (const due = (elapsed / 1_000) * perSecond; turns < due; turns += 1) {
    if (open.size >= connections) continue
    const asked = ask(paths[turns % paths.length] ?? '')
    open.add(asked)
    void asked.then(() => open.delete(asked))
  }
  await sleep(5)
}
await Promise.all(open)
agent.destroy()
console.log(JSON.stringify(statuses))
