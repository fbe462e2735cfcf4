import type { StationSocket } from '@busbar/simulator'
import { type CarrierPorts, carriers, hostileTexts as texts } from '../hostile.js'
import { type Rig, result } from '../rig.js'
import { none, row, shown } from '../row.js'

const marked = /T12x[0-9a-f]{6}/
/** Line ends, terminals' control characters, and what turns the text around it. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u

export const hostileTexts = row({
  id: 'T12',
  fault: "stations' texts that break a line of the log, a metric, an answer of the API, or run where they are read",
  sizes: { small: { payloads: 900 }, full: { payloads: 9_000 } },
  async run(rig, { payloads }) {
    const ids = await rig.registerStations('HOSTILE', 2)
    // What is wrong in its messages is let pass, so that its texts come further.
    await rig.system.api.expect('PATCH', `/stations/${ids[1]}`, { switches: { tolerateInvalid: true } })
    const earlier = new Set((await rig.system.logs()).split('\n'))
    const stream = await EventReader.open(rig)
    const stations = await Promise.all(ids.map((id) => connect(rig, id)))
    const ways = Object.values(carriers)
    let sent = 0
    for (; sent < payloads && !rig.isOver; sent += 1) {
      const carry = ways[sent % ways.length]
      const spell = texts[Math.floor(sent / ways.length) % texts.length]
      const station = stations[Math.floor(sent / ways.length / texts.length) % stations.length]
      if (station) await carry?.(spell?.(`T12x${sent.toString(16).padStart(6, '0')}`) ?? '', station)
    }
    for (const { socket } of stations) {
      result(await socket.call('Heartbeat', {}))
      socket.close()
    }
    await rig.drained()
    const lines = (await rig.system.logs()).split('\n').filter((line) => line !== '' && !earlier.has(line))
    const metrics = (await readMetrics(rig)).split('\n')
    const answers = await readAnswers(rig, ids)
    stream.close()
    const dead = await rig.query<{ error: string }>('SELECT error FROM dead_letter WHERE station_id = ANY($1)', [ids])
    return {
      injected: `${sent} texts, ${ways.length} ways in, ${texts.length} kinds`,
      figures: [
        none('log lines that are no entry of one process, or not printable', lines.filter(isBroken(rig))),
        none(
          'metrics with a text of a station',
          metrics.filter((line) => marked.test(line) || /forged/.test(line)),
        ),
        none(
          'answers of the API that are not plain JSON',
          answers.flatMap(({ fault }) => fault ?? []),
        ),
        none('events with fields of a station', stream.faults),
        none(
          'messages that no service could take',
          dead.map(({ error }) => error),
        ),
        shown('log lines', lines.length),
        shown('of them with a text', lines.filter((line) => marked.test(line)).length),
        shown('texts in answers', new Set(answers.flatMap(({ text }) => text.match(/T12x[0-9a-f]{6}/g) ?? [])).size),
        shown('events with a text', stream.texts),
      ],
    }
  },
})

async function connect(rig: Rig, id: string): Promise<CarrierPorts> {
  const { port } = rig.system.gateways[0] ?? { port: 0 }
  const station: CarrierPorts = {
    rig,
    id,
    port,
    socket: await rig.connect(id),
    async reconnect(code, reason) {
      const older: StationSocket = station.socket
      // A close says at most 123 bytes.
      older.close(code, reason)
      await older.closed
      station.socket = await rig.connect(id)
    },
  }
  return station
}

/** One JSON object a line, of a process that runs here, in printable characters. */
function isBroken({ system }: Rig): (line: string) => boolean {
  const pids = new Set([...system.gateways, ...system.workers, system.apiProcess].map(({ child }) => child.pid))
  return (line) => {
    if (unprintable.test(line)) return true
    try {
      const { level, time, pid } = JSON.parse(line) as { level: number; time: number; pid: number }
      return !Number.isInteger(level) || !Number.isInteger(time) || !pids.has(pid)
    } catch {
      return true
    }
  }
}

async function readMetrics(rig: Rig): Promise<string> {
  const of = [rig.metrics('gateways'), rig.metrics('workers'), Promise.all([rig.system.apiProcess.metrics()])]
  return (await Promise.all(of)).flat().join('\n')
}

const pathsOf = (id: string) => [
  '/stations',
  `/stations/${id}`,
  `/stations/${id}/configuration`,
  `/stations/${id}/variables`,
  `/stations/${id}/security-events`,
  `/stations/${id}/certificates`,
  `/stations/${id}/transfers?limit=200`,
  `/transactions?station=${id}&limit=200`,
  `/journal?station=${id}&limit=200`,
  '/refused-attempts',
  '/audit?limit=200',
  '/dead-letters',
]

interface Read {
  text: string
  fault: string | null
  nextCursor: string | null
}

/** What the operator sees of it, page by page, and what the API says to one who asks with such a text. */
async function readAnswers(rig: Rig, ids: readonly string[]): Promise<Read[]> {
  const strange = texts.map((spell) => `/stations/${encodeURIComponent(Buffer.from(spell('T12xffffff')).toString())}`)
  const unknown = await Promise.all(strange.map((path) => read(rig, path, [400, 404])))
  const known = await Promise.all(ids.flatMap(pathsOf).map((path) => readPages(rig, path)))
  return [...known.flat(), ...unknown]
}

async function readPages(rig: Rig, path: string): Promise<Read[]> {
  const pages = [await read(rig, path, [200])]
  for (let next = pages[0]?.nextCursor; next; next = pages.at(-1)?.nextCursor) {
    pages.push(await read(rig, `${path}${path.includes('?') ? '&' : '?'}cursor=${next}`, [200]))
  }
  return pages
}

async function read({ system: { api } }: Rig, path: string, statuses: readonly number[]): Promise<Read> {
  const response = await fetch(`${api.url}/v1${path}`, { headers: { authorization: `Bearer ${api.key}` } })
  const text = await response.text()
  const headers = [...response.headers].flat().join('\n')
  const faults = [
    ...(statuses.includes(response.status) ? [] : ['another status']),
    ...(/^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '') ? [] : ['no JSON type']),
    ...(response.headers.get('x-content-type-options') === 'nosniff' ? [] : ['its type may be guessed']),
    ...(/default-src 'none'/.test(response.headers.get('content-security-policy') ?? '') ? [] : ['it may run']),
    ...(marked.test(headers) ? ['in a header'] : []),
    ...(isJson(text) ? [] : ['no JSON']),
  ]
  return {
    text,
    fault: faults.length > 0 ? `${path}: ${response.status} ${faults.join(', ')}` : null,
    nextCursor: isJson(text) ? (JSON.parse(text).nextCursor ?? null) : null,
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** A client of the live stream, which reads by lines. */
class EventReader {
  readonly faults: string[] = []
  texts = 0
  readonly #abort = new AbortController()

  static async open({ system: { api } }: Rig): Promise<EventReader> {
    const reader = new EventReader()
    const response = await fetch(`${api.url}/v1/events`, {
      headers: { authorization: `Bearer ${api.key}` },
      signal: reader.#abort.signal,
    })
    void reader.#readAll(response).catch(() => {})
    return reader
  }

  close(): void {
    this.#abort.abort()
  }

  async #readAll({ body }: Response): Promise<void> {
    let rest = ''
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const lines = (rest + chunk).split(/\r\n|[\r\n]/)
      rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    }
  }

  #take(line: string): void {
    const [, field = '', value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? []
    if (marked.test(line)) this.texts += 1
    if (field === 'data' ? !isJson(value) : marked.test(line)) this.faults.push(line)
  }
}
