import { quirkCounter, sharedMetric } from '@busbar/backbone'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { closeCodes } from './config.js'

/**
 * Counts in a plain map and hands on to prom-client once a second: an increment there costs more than answering a
 * Heartbeat may.
 */
class Tally {
  readonly #counter: Counter
  readonly #names: readonly string[]
  readonly #counts = new Map<string, { labels: Record<string, string>; count: number }>()

  constructor(counter: Counter, names: readonly string[]) {
    this.#counter = counter
    this.#names = names
  }

  /** Values of the labels in their order; few and known: what a station says is never a label. */
  add(first: string, second = '', third = ''): void {
    const key = second === '' ? first : `${first} ${second} ${third}`
    const entry = this.#counts.get(key)
    if (entry) {
      entry.count++
      return
    }
    const values = [first, second, third]
    const labels = Object.fromEntries(this.#names.map((name, at) => [name, values[at] ?? '']))
    this.#counts.set(key, { labels, count: 1 })
  }

  flush(): void {
    for (const entry of this.#counts.values()) {
      if (entry.count > 0) this.#counter.inc(entry.labels, entry.count)
      entry.count = 0
    }
  }
}

const knownCloseCodes = new Set<number>([1000, 1005, 1006, 1007, ...Object.values(closeCodes)])

/** `answered` | `safe` | `refused` (CALLERROR) | `duplicate` | `unanswered` (the socket went first). */
export type CallOutcome = 'answered' | 'safe' | 'refused' | 'duplicate' | 'unanswered'

/** All metrics of the gateway. No per-station labels. */
export class GatewayMetrics {
  readonly connections: Gauge
  /** Seconds our clock is ahead of the store of owners; two gateways that differ by more than one are an alarm. */
  readonly clockOffset: Gauge
  readonly #seconds: Histogram
  readonly #tallies: Record<
    'calls' | 'safe' | 'quirks' | 'upgrades' | 'refused' | 'handshakes' | 'headers' | 'commands' | 'closes' | 'lost',
    Tally
  >

  constructor(registry: Registry) {
    const tally = (name: string, help: string, labelNames: string[]) =>
      new Tally(
        sharedMetric(registry, name, () => new Counter({ name, help, labelNames, registers: [registry] })),
        labelNames,
      )
    const gauge = { name: 'busbar_gateway_connections', help: 'Open station sockets', labelNames: ['protocol'] }
    this.connections = sharedMetric(registry, gauge.name, () => new Gauge({ ...gauge, registers: [registry] }))
    const offset = { name: 'busbar_gateway_clock_offset_seconds', help: 'Our clock against the store of owners' }
    this.clockOffset = sharedMetric(registry, offset.name, () => new Gauge({ ...offset, registers: [registry] }))
    const histogram = {
      name: 'busbar_gateway_answer_seconds',
      help: 'From the receipt of a call to its answer, by what it waited for',
      labelNames: ['answer'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
    }
    this.#seconds = sharedMetric(registry, histogram.name, () => new Histogram({ ...histogram, registers: [registry] }))
    this.#tallies = {
      calls: tally('busbar_gateway_calls_total', 'Calls of stations', ['action', 'answer', 'outcome']),
      safe: tally('busbar_gateway_safe_answers_total', 'Answers given because no decision came', ['action']),
      quirks: new Tally(quirkCounter(registry), ['kind']),
      upgrades: tally('busbar_gateway_upgrades_total', 'Stations let in', ['protocol']),
      refused: tally('busbar_gateway_refused_upgrades_total', 'Callers turned away', ['reason']),
      handshakes: tally('busbar_gateway_failed_handshakes_total', 'Callers with whom no TLS came about', ['reason']),
      headers: tally('busbar_gateway_ignored_headers_total', 'Headers of a proxy, from a stranger', ['header']),
      commands: tally('busbar_gateway_commands_total', 'Calls of ours by outcome', ['outcome']),
      closes: tally('busbar_gateway_closes_total', 'Sockets that closed, by code', ['code']),
      lost: tally('busbar_gateway_lost_total', 'Records or messages nobody could take', ['what']),
    }
  }

  call(action: string, answer: string, outcome: CallOutcome): void {
    this.#tallies.calls.add(action, answer, outcome)
  }

  safeAnswer(action: string): void {
    this.#tallies.safe.add(action)
  }

  quirk(kind: string): void {
    this.#tallies.quirks.add(kind)
  }

  upgrade(protocol: string): void {
    this.#tallies.upgrades.add(protocol)
  }

  refusedUpgrade(reason: string): void {
    this.#tallies.refused.add(reason)
  }

  failedHandshake(reason: string): void {
    this.#tallies.handshakes.add(reason)
  }

  ignoredHeader(name: string): void {
    this.#tallies.headers.add(name)
  }

  command(outcome: string): void {
    this.#tallies.commands.add(outcome)
  }

  closed(code: number): void {
    // A station may give any of 4,000 codes.
    this.#tallies.closes.add(knownCloseCodes.has(code) ? String(code) : 'other')
  }

  /** journal: a copy for the journal; answer: it came too late; outcome: of a call of ours; command: not for us. */
  lost(what: 'journal' | 'answer' | 'outcome' | 'command'): void {
    this.#tallies.lost.add(what)
  }

  observeAnswer(answer: 'log' | 'decision', seconds: number): void {
    this.#seconds.observe({ answer }, seconds)
  }

  flush(): void {
    for (const tally of Object.values(this.#tallies)) tally.flush()
  }
}
