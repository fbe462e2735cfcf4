import { setTimeout as sleep } from 'node:timers/promises'
import {
  errorFrame,
  findAction,
  OcppError,
  type Protocol,
  parseFrame,
  redactFrame,
  repairInbound,
  validate,
} from '@busbar/ocpp'
import type { StationSocket } from '@busbar/simulator'
import { playFraming } from '../framing.js'
import { FrameFuzzer } from '../fuzz.js'
import { inParallel, type Rig } from '../rig.js'
import { atMost, exactly, none, row, shown } from '../row.js'

const protocols = ['ocpp1.6', 'ocpp2.0.1'] as const
const longestMs = 200
/** Between two looks at the clock and at who else waits. */
const chunk = 5_000

export const fuzz = row({
  id: 'T10',
  fault: 'frames of both versions that are nearly right, and WebSocket frames that are not',
  sizes: {
    small: { parsed: 40_000, sent: 400, stations: 4 },
    full: { parsed: 10_000_000, sent: 100_000, stations: 8 },
  },
  async run(rig, { parsed: wanted, sent, stations }) {
    const pids = rig.processIds
    const earlier = new Set((await rig.system.logs()).split('\n'))
    const framing = await playFraming(rig)
    const lag = new LagWatch(rig)
    const wire = await fuzzWire(rig, sent, stations)
    const longestLagMs = await lag.stop()
    await rig.drained()
    const logged = (await rig.system.logs()).split('\n').filter((line) => !earlier.has(line) && isError(line))
    const alive = rig.processIds.filter((pid) => pids.includes(pid)).length
    const dead = await rig.query<{ error: string }>(`SELECT error FROM dead_letter WHERE station_id LIKE 'FUZZ-%'`)
    const parsing = await fuzzParser(rig, wanted)
    return {
      injected: `${parsing.count} frames through parser and validator, ${wire.count} through the system, ${framing.count} framing cases`,
      figures: [
        none('framing cases that ended otherwise', framing.faults),
        none('frames with neither an answer nor a close, or with two', wire.faults),
        none('frames that the parser or the validator could not take', parsing.faults),
        none('errors in the log', logged),
        none(
          'messages that no service could take',
          dead.map(({ error }) => error),
        ),
        exactly('processes that live', alive, pids.length),
        atMost('longest frame in the parser', parsing.longestMs, longestMs, 'ms'),
        atMost('longest stall of a gateway', longestLagMs, longestMs, 'ms'),
        shown('answers', wire.answers),
        shown('closes', wire.closes),
      ],
    }
  },
})

const isError = (line: string) => line.startsWith('{"level":50') || line.startsWith('{"level":60')

/** Until so many went through, or the row's time is up. */
async function fuzzParser(rig: Rig, wanted: number): Promise<{ count: number; faults: string[]; longestMs: number }> {
  const fuzzers = protocols.map((protocol) => ({ protocol, frames: new FrameFuzzer(protocol, rig.random.fork()) }))
  const faults: string[] = []
  let [count, longest] = [0, 0]
  while (count < wanted && !rig.isOver) {
    for (let left = chunk; left > 0; left -= 1, count += 1) {
      const { protocol, frames } = fuzzers[count % fuzzers.length] ??
        fuzzers[0] ?? { protocol: 'ocpp1.6', frames: null }
      const text = frames?.next(String(count)) ?? ''
      const startedAt = performance.now()
      const fault = judge(text, protocol)
      longest = Math.max(longest, performance.now() - startedAt)
      if (fault) faults.push(`${protocol} ${text.slice(0, 300)}: ${fault}`)
    }
    await sleep(0)
  }
  return { count, faults, longestMs: longest }
}

/** As the gateway treats a frame. @returns what it could not do */
function judge(text: string, protocol: Protocol): string | null {
  try {
    redactFrame(protocol, text)
    const frame = parseFrame(text, protocol)
    if (frame.kind !== 'call') return null
    const row = findAction(protocol, frame.action)
    if (!row || row.sender === 'csms') return null
    row.billing?.(frame.payload)
    const [violation] = validate(protocol, frame.action, 'request', frame.payload, 'inbound')
    if (violation) JSON.parse(errorFrame(protocol, frame.messageId, violation))
    if (violation && row.tolerates) repairInbound(protocol, frame.action, 'request', frame.payload, row.tolerates)
    return null
  } catch (cause) {
    if (!(cause instanceof OcppError)) return String(cause)
    JSON.parse(errorFrame(protocol, cause.messageId, cause))
    return null
  }
}

/** One frame after the other, each behind a call that has to be answered. */
async function fuzzWire(rig: Rig, wanted: number, stations: number) {
  const ids = await rig.registerStations('FUZZ', stations)
  const faults: string[] = []
  const counts = { count: 0, answers: 0, closes: 0 }
  await inParallel(ids.entries(), stations, async ([index, id]) => {
    const protocol = protocols[index % protocols.length] ?? 'ocpp1.6'
    const frames = new FrameFuzzer(protocol, rig.random.fork())
    let socket = await boot(rig, id, index, protocol)
    for (let number = 0; number < wanted / stations && !rig.isHalfTime; number += 1) {
      const messageId = `f${number}`
      const text = frames.next(messageId)
      const seen = socket.frames.length
      socket.send(text)
      counts.count += 1
      const after = await socket.call('Heartbeat', {}, `m${number}`).catch(() => null)
      if (after === null) {
        await socket.closed
        counts.closes += 1
        socket = await boot(rig, id, index, protocol)
        continue
      }
      const answers = socket.frames
        .slice(seen)
        .filter(({ direction, text: said }) => direction === 'in' && !isMarker(said))
      counts.answers += answers.length
      const due = isDue(text, protocol)
      if (answers.length > 1 || (due && answers.length === 0)) {
        faults.push(`${protocol} ${text.slice(0, 300)}: ${JSON.stringify(answers.map((each) => each.text))}`)
      }
    }
    socket.close()
  })
  return { ...counts, faults }
}

const isMarker = (text: string) => /^\[3,"m\d+"/.test(text)

/** What 1.6 cannot name it cannot answer; 2.0.1 answers whatever is no answer itself (part 4 §4.2.3). */
function isDue(text: string, protocol: Protocol): boolean {
  try {
    return parseFrame(text, protocol).kind === 'call'
  } catch (cause) {
    return protocol !== 'ocpp1.6' || (cause instanceof OcppError && cause.messageId !== '-1')
  }
}

async function boot(rig: Rig, id: string, index: number, protocol: Protocol): Promise<StationSocket> {
  const socket = await rig.open(id, index, { protocols: [protocol] })
  const model = { vendorName: 'Busbar', model: 'Fault rig' }
  await socket.call(
    'BootNotification',
    protocol === 'ocpp1.6'
      ? { chargePointVendor: model.vendorName, chargePointModel: model.model }
      : { reason: 'PowerUp', chargingStation: model },
  )
  return socket
}

/** How long the event loops of the gateways stand still. */
class LagWatch {
  #longestMs = 0
  #isOver = false
  readonly #watching: Promise<void>

  constructor(rig: Rig) {
    this.#watching = this.#watch(rig)
  }

  async stop(): Promise<number> {
    this.#isOver = true
    await this.#watching
    return this.#longestMs
  }

  async #watch(rig: Rig): Promise<void> {
    // What was before counts for nothing: each look begins anew.
    await rig.metrics('gateways')
    while (!this.#isOver) {
      await sleep(500)
      const texts = await rig.metrics('gateways')
      const seconds = texts.map((text) => Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1] ?? 0))
      this.#longestMs = Math.max(this.#longestMs, ...seconds.map((each) => each * 1_000))
    }
  }
}
