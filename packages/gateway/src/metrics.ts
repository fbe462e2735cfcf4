import { quirkCounter, sharedMetric } from '@busbar/backbone'
import { actionTable } from '@busbar/ocpp'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { closeCodes } from './config.js'
import { outcomeKinds } from './connection/outbound.js'
import { handshakeFaults } from './tls/secure-listener.js'
import type { ServerCertificate } from './tls/server-context.js'
import { refusalReasons } from './upgrade/upgrade.js'

/**
 * Counts in a plain map and hands on to prom-client once a second: an increment there costs more than answering a
 * Heartbeat may.
 */
class Tally {
  readonly #counter: Counter
  readonly #names: readonly string[]
  readonly #counts = new Map<string, { labels: Record<string, string>; count: number }>()

  /**
   * @param expected values of a single label that begin at 0: a counter that appears with its first count shows no
   *   increase, and the alarm on it would miss what happens for the first time
   */
  constructor(counter: Counter, names: readonly string[], expected: readonly string[] = []) {
    this.#counter = counter
    this.#names = names
    for (const value of expected) counter.inc({ [names[0] ?? '']: value }, 0)
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

const protocols = ['ocpp1.6', 'ocpp2.0.1']
const knownCloseCodes = new Set<number>([1000, 1005, 1006, 1007, ...Object.values(closeCodes)])
const withSafeAnswer = Object.values(actionTable).flatMap((rows) => rows.filter((row) => row.safeAnswer))

/** `answered` | `safe` | `refused` (CALLERROR) | `duplicate` | `unanswered` (the socket went first). */
export type CallOutcome = 'answered' | 'safe' | 'refused' | 'duplicate' | 'unanswered'

const lostKinds = ['journal', 'answer', 'outcome', 'command'] as const

/** All metrics of the gateway. No per-station labels. */
export class GatewayMetrics {
  readonly connections: Gauge
  /** Sockets whose station this gateway does not own, as while Redis is away. */
  readonly unowned: Gauge
  readonly leaseLosses: Counter
  readonly bytesInHand: Gauge
  /** Seconds our clock is ahead of the store of owners; two gateways that differ by more than one are an alarm. */
  readonly clockOffset: Gauge
  readonly #certificates: Gauge
  readonly #seconds: Histogram
  readonly #tallies: Record<
    'calls' | 'safe' | 'quirks' | 'upgrades' | 'refused' | 'handshakes' | 'headers' | 'commands' | 'closes' | 'lost',
    Tally
  >

  constructor(registry: Registry) {
    const tally = (name: string, help: string, labelNames: string[], expected?: readonly string[]) =>
      new Tally(
        sharedMetric(registry, name, () => new Counter({ name, help, labelNames, registers: [registry] })),
        labelNames,
        expected,
      )
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      sharedMetric(registry, name, () => new Gauge({ name, help, labelNames, registers: [registry] }))
    this.connections = gauge('busbar_gateway_connections', 'Open station sockets', ['protocol'])
    for (const protocol of protocols) this.connections.inc({ protocol }, 0)
    this.unowned = gauge('busbar_gateway_unowned_connections', 'Open sockets whose stations this gateway does not own')
    this.bytesInHand = gauge('busbar_gateway_bytes_in_hand', 'Bytes of frames that wait for an answer')
    this.clockOffset = gauge(
      'busbar_gateway_clock_offset_seconds',
      'Our clock against the store of owners, at the last upgrade',
    )
    // 0 would be a measurement.
    this.clockOffset.remove()
    this.#certificates = gauge(
      'busbar_gateway_certificate_expiry_timestamp_seconds',
      'When a certificate of the server ends, in seconds since 1970',
      ['certificate'],
    )
    const losses = { name: 'busbar_gateway_lease_losses_total', help: 'Leases that lapsed before they were renewed' }
    this.leaseLosses = sharedMetric(registry, losses.name, () => new Counter({ ...losses, registers: [registry] }))
    const histogram = {
      name: 'busbar_gateway_answer_seconds',
      help: 'From the receipt of a call to its answer, by what it waited for',
      labelNames: ['answer'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
    }
    this.#seconds = sharedMetric(registry, histogram.name, () => new Histogram({ ...histogram, registers: [registry] }))
    this.#tallies = {
      calls: tally('busbar_gateway_calls_total', 'Calls of stations', ['action', 'answer', 'outcome']),
      safe: tally(
        'busbar_gateway_safe_answers_total',
        'Answers given because no decision came',
        ['action'],
        withSafeAnswer.map(({ action }) => action),
      ),
      quirks: new Tally(quirkCounter(registry), ['kind']),
      upgrades: tally('busbar_gateway_upgrades_total', 'Stations let in', ['protocol'], protocols),
      refused: tally('busbar_gateway_refused_upgrades_total', 'Callers turned away', ['reason'], refusalReasons),
      handshakes: tally(
        'busbar_gateway_failed_handshakes_total',
        'Callers with whom no TLS came about',
        ['reason'],
        handshakeFaults,
      ),
      headers: tally(
        'busbar_gateway_ignored_headers_total',
        'Headers of a proxy, from a stranger',
        ['header'],
        ['x-forwarded-proto'],
      ),
      commands: tally('busbar_gateway_commands_total', 'Calls of ours by outcome', ['outcome'], outcomeKinds),
      closes: tally(
        'busbar_gateway_closes_total',
        'Sockets that closed, by code',
        ['code'],
        [...knownCloseCodes, 'other'].map(String),
      ),
      lost: tally('busbar_gateway_lost_total', 'Records or messages nobody could take', ['what'], lostKinds),
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
  lost(what: (typeof lostKinds)[number]): void {
    this.#tallies.lost.add(what)
  }

  serverCertificates(certificates: readonly ServerCertificate[]): void {
    for (const { file, expiresAt } of certificates) {
      this.#certificates.set({ certificate: file }, expiresAt.getTime() / 1_000)
    }
  }

  observeAnswer(answer: 'log' | 'decision', seconds: number): void {
    this.#seconds.observe({ answer }, seconds)
  }

  flush(): void {
    for (const tally of Object.values(this.#tallies)) tally.flush()
  }
}
