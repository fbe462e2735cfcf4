import { randomUUID } from 'node:crypto'
import net from 'node:net'
import { parseArgs } from 'node:util'
import { upgradeRequest } from './handshake.js'
import { quantiles } from './quantiles.js'

/**
 * The load: stations on raw sockets, one call open each, so that the client costs less than what it measures. Runs in a
 * process of its own; prints one JSON line.
 */
export interface LoadResult {
  calls: number
  /** Of the measured seconds, milliseconds since 1970. */
  startedAt: number
  seconds: number
  /** Calls that were due while their station still waited (open load only). */
  missed: number
  p50: number
  p99: number
  p999: number
  /** p99 of each measured second; null where nothing was answered in it. */
  p99BySecond: (number | null)[]
}

const { values: given } = parseArgs({
  options: {
    ports: { type: 'string', default: '' },
    message: { type: 'string', default: 'heartbeat' },
    /** Number of the first station. */
    first: { type: 'string', default: '0' },
    stations: { type: 'string', default: '300' },
    prefix: { type: 'string', default: 'BENCH' },
    password: { type: 'string', default: '' },
    /** Calls per second over all stations; 0: each station calls again as soon as it is answered. */
    rate: { type: 'string', default: '0' },
    warmUpSeconds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
  },
})
const stations = Number(given.stations)
const rate = Number(given.rate)
const ports = given.ports.split(',').map(Number)

/** What a station remembers of its calls. */
interface Memory {
  turn: number
  transactionId: number
}

const sampledValue =
  '[{"value":"1234567","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},' +
  '{"value":"11040","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},' +
  '{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Import","unit":"A","phase":"L1"}]'
const call = (action: string, payload: string) => `[2,"${randomUUID()}","${action}",{${payload}}]`
const now = () => new Date().toISOString()
const meterValue = () => `"connectorId":1,"meterValue":[{"timestamp":"${now()}","sampledValue":${sampledValue}}]`

let counter = 0
const messages: Record<string, (memory: Memory) => string> = {
  heartbeat: () => call('Heartbeat', ''),
  authorize: () => call('Authorize', '"idTag":"BENCH"'),
  meter: () => call('MeterValues', meterValue()),
  start: () =>
    call('StartTransaction', `"connectorId":1,"idTag":"BENCH","meterStart":${counter++},"timestamp":"${now()}"`),
  /** Whole sessions, one after the other: begin, readings, a Heartbeat, end. */
  session: (memory) => {
    const { turn, transactionId } = memory
    memory.turn = (turn + 1) % 10
    if (turn === 0) return messages.start?.(memory) ?? ''
    if (turn === 8) return call('Heartbeat', '')
    if (turn < 8) return call('MeterValues', `"transactionId":${transactionId},${meterValue()}`)
    return call('StopTransaction', `"transactionId":${transactionId},"meterStop":1234567,"timestamp":"${now()}"`)
  },
}
const message = messages[given.message] ?? messages.heartbeat

/** One masked text frame (RFC 6455); the mask is zero, so that masking costs nothing. */
function toFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length > 125
      ? Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255])
      : Buffer.from([0x81, 0x80 | payload.length])
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

/** Finds the whole frames of the server. @returns what is left of the last one */
function eachFrame(data: Buffer, onFrame: (payload: Buffer) => void): Buffer {
  let rest = data
  while (rest.length >= 2) {
    const short = (rest[1] ?? 0) & 127
    const head = short === 126 ? 4 : 2
    if (rest.length < head) break
    const length = head + (short === 126 ? rest.readUInt16BE(2) : short)
    if (rest.length < length) break
    // A ping of the server is no answer.
    if (((rest[0] ?? 0) & 15) === 1) onFrame(rest.subarray(head, length))
    rest = rest.subarray(length)
  }
  return rest
}

interface Station {
  call(): void
  readonly busy: boolean
}

let latencies: number[] = []
let bySecond: number[][] = []
let startedAt = performance.now()
let running = true

function openStation(index: number): Promise<Station> {
  const id = `${given.prefix}${String(index).padStart(6, '0')}`
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port: ports[index % ports.length] ?? 0, noDelay: true })
    let rest: Buffer = Buffer.alloc(0)
    let upgraded = false
    let sentAt = 0
    let busy = false
    const memory: Memory = { turn: 0, transactionId: 0 }
    const station = {
      get busy() {
        return busy
      },
      call() {
        busy = true
        sentAt = performance.now()
        socket.write(toFrame(message?.(memory) ?? ''))
      },
    }
    socket.on('error', reject)
    socket.on('connect', () => socket.write(upgradeRequest(id, given.password)))
    socket.on('close', () => running && reject(new Error(`${id}: the socket closed`)))
    socket.on('data', (data: Buffer) => {
      if (!upgraded) {
        const head = data.toString('latin1')
        if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(`${id}: ${head.split('\r\n')[0]}`))
        upgraded = true
        return resolve(station)
      }
      rest = eachFrame(rest.length > 0 ? Buffer.concat([rest, data]) : data, (payload) => {
        if (given.message === 'session' && memory.turn === 1) {
          memory.transactionId = Number(/"transactionId":(\d+)/.exec(payload.toString('utf8'))?.[1])
        }
        note(performance.now() - sentAt)
        busy = false
        if (rate === 0 && running) station.call()
      })
    })
  })
}

const open: Station[] = []
for (let index = 0; index < stations; index += 1) open.push(await openStation(Number(given.first) + index))

function note(latency: number): void {
  latencies.push(latency)
  const second = Math.floor((performance.now() - startedAt) / 1_000)
  bySecond[second] ??= []
  bySecond[second].push(latency)
}

let missed = 0
if (rate === 0) for (const station of open) station.call()
else {
  let due = performance.now()
  let turn = 0
  const timer = setInterval(() => {
    for (const now = performance.now(); due < now; due += 1_000 / rate) {
      const station = open[turn++ % open.length]
      if (station?.busy) missed += 1
      else station?.call()
    }
    if (!running) clearInterval(timer)
  }, 1)
}
await wait(Number(given.warmUpSeconds))
console.log('warm')
latencies = []
bySecond = []
missed = 0
startedAt = performance.now()
const startedAtMs = Date.now()
await wait(Number(given.seconds))
const seconds = (performance.now() - startedAt) / 1_000
running = false
const at = quantiles(latencies)
const result: LoadResult = {
  ...{ calls: latencies.length, startedAt: startedAtMs, seconds, missed, p50: at(0.5), p99: at(0.99), p999: at(0.999) },
  p99BySecond: Array.from({ length: Math.floor(seconds) }, (_, second) => quantiles(bySecond[second] ?? [])(0.99)),
}
console.log(JSON.stringify(result))
process.exit(0)

function wait(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time * 1_000))
}
