import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSocket } from '@busbar/simulator'
import { cpuUs, median } from '../../bench/measure.js'
import { type Charged, holdAgainstBooks, meterMessage, startMessage, stopMessage } from '../charging.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { inParallel, Latencies, type Rig, result, token } from '../rig.js'
import { atMost, type Figure, row, shown } from '../row.js'

const [prefix, piledPrefix] = ['BUSY', 'PILED']
/** Readings of one station that wait for an answer at a time. */
const window = 8

/** One long transaction, told reading by reading. */
class Meter {
  readonly charged: Charged
  readonly #socket: StationSocket
  readonly #startedAt = Date.now() - 30 * 86_400_000

  private constructor(stationId: string, socket: StationSocket, transactionId: number) {
    this.#socket = socket
    this.charged = { stationId, transactionId, wh: 0, readings: 0 }
  }

  static async open(rig: Rig, id: string, index: number): Promise<Meter> {
    const socket = await rig.connect(id, index)
    const { action, payload } = startMessage({ at: new Date(Date.now() - 30 * 86_400_000), wh: 0 })
    const { transactionId } = result<{ transactionId: number }>(await socket.call(action, payload))
    return new Meter(id, socket, transactionId)
  }

  /** So many more readings, as fast as they are answered. */
  async tell(readings: number, waits: Latencies): Promise<void> {
    const inFlight = new Set<Promise<unknown>>()
    for (let told = 0; told < readings; told += 1) {
      this.charged.readings += 1
      const { action, payload } = meterMessage(this.charged.transactionId, this.#reading())
      const call = waits.measure(this.#socket.call(action, payload)).then(result)
      inFlight.add(call)
      void call.then(() => inFlight.delete(call))
      if (inFlight.size >= window) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
  }

  async end(): Promise<void> {
    this.charged.wh = this.charged.readings + 1
    const { action, payload } = stopMessage(this.charged.transactionId, this.#reading(1), token)
    result(await this.#socket.call(action, payload))
    this.#socket.close()
  }

  #reading(more = 0) {
    const wh = this.charged.readings + more
    return { at: new Date(this.#startedAt + wh * 1_000), wh }
  }
}

/** Of the workers together, for a record of these readings: microseconds. */
async function costOf(rig: Rig, meters: readonly Meter[], each: number): Promise<number> {
  const pids = rig.system.workers.flatMap(({ child }) => child.pid ?? [])
  const burnt = () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0)
  const before = burnt()
  await Promise.all(meters.map((meter) => meter.tell(each, new Latencies())))
  await rig.caughtUp()
  return (burnt() - before) / (meters.length * each)
}

/** The same readings once more, by turns for transactions with few and with many: the cost of one may not grow. */
async function flatness(rig: Rig, old: readonly Meter[], readings: number, turns: number): Promise<Figure[]> {
  const costs = { few: [] as number[], many: [] as number[] }
  for (let turn = 0; turn === 0 || (turn < turns && !rig.isOver); turn += 1) {
    const ids = await rig.registerStations(`FRESH${turn}`, old.length)
    const young = await Promise.all(ids.map((id, index) => Meter.open(rig, id, index)))
    costs.few.push(await costOf(rig, young, readings))
    costs.many.push(await costOf(rig, old, readings))
    for (const meter of young) await meter.end()
  }
  const before = old[0]?.charged.readings ?? 0
  return [
    atMost(`worker CPU of update ${before} against the first`, median(costs.many) / median(costs.few), 1.2, 'x'),
    shown('worker CPU of an update', median(costs.few), 'us'),
  ]
}

/** A backlog that takes longer than it may is to be told in figures, not broken off. */
const backlogMs = 1_800_000

export const slowWorkers = row({
  id: 'F13',
  fault: 'workers run a fifth of the time, then stand still while a backlog piles up',
  needsProcesses: true,
  sizes: {
    small: { stations: 4, readings: 200, slowSeconds: 1, perSecond: 20, turns: 1 },
    full: { stations: 100, readings: 10_000, slowSeconds: 20, perSecond: 300, turns: 5 },
  },
  async run(rig, { stations, readings, slowSeconds: asked, perSecond, turns }) {
    // The other half of the first half is for the backlog.
    const slowSeconds = rig.share(asked, 4)
    const nemesis = new Nemesis(rig, 'F13')
    const fleet = await Fleet.open(rig, prefix, 6)
    const ids = await rig.registerStations(piledPrefix, stations)
    const meters = await Promise.all(ids.map((id, index) => Meter.open(rig, id, index)))
    const all = (signal: 'SIGSTOP' | 'SIGCONT') => {
      for (const worker of rig.system.workers) worker.signal(signal)
    }
    const [acks, recoveries] = [new Latencies(), new Latencies()]
    let piled = 0
    let catchUpMs = 0

    /** At the pace of every day, whatever becomes of the backlog. */
    async function live(life: AbortSignal): Promise<void> {
      const open: Promise<void>[] = []
      for (let index = 0; !life.aborted; index += 1) {
        const meter = meters[index % meters.length]
        if (meter) open.push(meter.tell(1, acks))
        await sleep(1_000 / perSecond)
      }
      await Promise.all(open)
    }

    await fleet.during(async () => {
      nemesis.tell('workers run a fifth of the time')
      for (const endsAt = Date.now() + slowSeconds * 1_000; Date.now() < endsAt; ) {
        all('SIGSTOP')
        await sleep(400)
        all('SIGCONT')
        await sleep(100)
      }
      nemesis.tell('workers stand still')
      all('SIGSTOP')
      const chunk = Math.ceil(readings / 100)
      do {
        await inParallel(meters, 20, (meter) => meter.tell(chunk, acks))
        piled += chunk * stations
      } while (piled < readings * stations && !rig.isHalfTime)
      nemesis.tell(`${piled} readings piled up`)
      const life = new AbortController()
      all('SIGCONT')
      const living = live(life.signal)
      const startedAt = performance.now()
      await Promise.all([rig.caughtUp(backlogMs), recoveries.measure(fleet.served())])
      catchUpMs = performance.now() - startedAt
      life.abort()
      await living
    })
    await fleet.settled()
    const flat = await flatness(rig, meters.slice(0, 20), Math.min(readings, 200), turns)
    for (const meter of meters) await meter.end()
    await rig.drained(600_000)
    const catchUp = (piled / catchUpMs) * 1_000
    const invariants = await checkInvariants(rig, fleet, { times: 1, each: recoveries, goalSeconds: 600 })
    await fleet.stop()
    return {
      injected: `${piled} readings while the workers stood still, after ${slowSeconds} s at a fifth of their time`,
      invariants,
      figures: [
        ...(await holdAgainstBooks(
          rig,
          piledPrefix,
          meters.map(({ charged }) => charged),
        )),
        atMost('live rate against the rate of catching up', perSecond / catchUp, 0.2, 'x'),
        shown('caught up at', catchUp, 'readings/s'),
        shown('answers meanwhile, p99', acks.at(0.99), 'ms'),
        ...flat,
      ],
    }
  },
})
