import type { LogRecord } from '@busbar/backbone'
import { Counter, Gauge } from 'prom-client'
import { z } from 'zod'
import type { ApiConfig, ApiPorts } from '../ports.js'
import { EventRing, formatVector, parseVector, type RingEntry } from './ring.js'

/** Where the frames of one client go: the socket's response, as far as a client needs it. */
export interface Sink {
  /** false: full, wait for `onDrain`. */
  write(text: string): boolean
  onDrain(resume: () => void): void
  end(): void
  /** Cuts the connection without waiting for the client. */
  destroy(): void
}

export interface EventFilter {
  /** Asked for each event; a group changes while its events are followed. */
  isWanted(stationId: string): boolean
  /** Full (`busbar.transaction.started.v1`) or short (`transaction.started`). */
  types?: readonly string[] | undefined
}

const CloudEvent = z.object({ type: z.string() })

/** Ids of CloudEvents as the services spell them: `busbar.<short>.v<n>`. */
const fullType = /^busbar\.(.+)\.v\d+$/

/**
 * The tail of the event topic, spread to clients. At least once, in the order of each station; a client that comes back
 * with the id it last saw goes on there while the ring holds what it missed.
 */
export class EventStream {
  readonly #ring: EventRing
  /** With how each leaves. */
  readonly #clients = new Map<Client, () => void>()
  readonly #maxClients: number
  readonly #heartbeatMs: number
  readonly #unreadable: Counter
  readonly #dropped: Counter
  #stopTail: () => Promise<void> = async () => {}

  private constructor({ metrics }: ApiPorts, config: ApiConfig) {
    this.#ring = new EventRing(config.eventRingSize)
    this.#maxClients = config.maxEventStreams
    this.#heartbeatMs = config.eventHeartbeatMs
    const registers = [metrics]
    const clients = this.#clients
    new Gauge({
      name: 'busbar_api_event_clients',
      help: 'Clients of the live event stream',
      registers,
      collect() {
        this.set(clients.size)
      },
    })
    this.#unreadable = new Counter({
      name: 'busbar_api_events_unreadable_total',
      help: 'Records of the event topic that are no CloudEvents',
      registers,
    })
    this.#dropped = new Counter({
      name: 'busbar_api_event_clients_dropped_total',
      help: 'Clients that read slower than the ring turned',
      registers,
    })
  }

  /** @throws UnavailableError when the event log cannot be followed */
  static async follow(ports: ApiPorts, config: ApiConfig): Promise<EventStream> {
    const stream = new EventStream(ports, config)
    const { log, topics } = ports.backbone
    const tail = await log.tail({
      topics: [topics.events],
      // So that who was cut off by a restart of ours goes on where it was.
      from: { last: config.eventRingSize },
      onBegun: (begun) => {
        for (const { partition, next } of begun) stream.#ring.begin(partition, next)
      },
      onRecords: (records) => stream.#take(records),
    })
    stream.#stopTail = () => tail.stop()
    return stream
  }

  get isFull(): boolean {
    return this.#clients.size >= this.#maxClients
  }

  /**
   * Serves one client until it or we leave.
   * @param lastEventId - null for a client that is new
   * @param mayStay - asked at every heartbeat; its key may have been revoked
   * @returns what to call when the client's connection closed
   */
  serve(options: {
    sink: Sink
    filter: EventFilter
    lastEventId: string | null
    mayStay: () => Promise<boolean>
  }): () => void {
    const client = new Client(this.#ring, options, () => this.#dropped.inc())
    const heartbeat = setInterval(() => void beat(), this.#heartbeatMs)
    const leave = () => {
      clearInterval(heartbeat)
      this.#clients.delete(client)
      client.close()
    }
    const beat = async () => {
      if (await options.mayStay()) client.beat()
      else leave()
    }
    this.#clients.set(client, leave)
    client.open(options.lastEventId)
    return leave
  }

  async stop(): Promise<void> {
    await this.#stopTail()
    for (const leave of this.#clients.values()) leave()
  }

  #take(records: readonly LogRecord[]): void {
    for (const { partition, offset, key, value } of records) {
      const text = value.toString()
      const type = findType(text)
      if (type === null) this.#unreadable.inc()
      else this.#ring.push({ partition, offset, stationId: key, type, text })
    }
    for (const client of this.#clients.keys()) client.flow()
  }
}

/** One reader of the ring. It buffers nothing itself: a client slower than the ring turns is cut off. */
class Client {
  readonly #ring: EventRing
  readonly #sink: Sink
  readonly #filter: EventFilter
  readonly #onDropped: () => void
  #state: 'flowing' | 'waiting' | 'closed' = 'flowing'
  #position: number
  /** What a client that came back has seen, until it is where it would be had it stayed. */
  #seen = new Map<number, bigint>()
  #isBackAt = 0

  constructor(ring: EventRing, { sink, filter }: { sink: Sink; filter: EventFilter }, onDropped: () => void) {
    this.#ring = ring
    this.#sink = sink
    this.#filter = filter
    this.#onDropped = onDropped
    this.#position = ring.end
  }

  open(lastEventId: string | null): void {
    const seen = lastEventId === null ? null : parseVector(lastEventId)
    if (seen && this.#ring.holdsAllAfter(seen)) {
      this.#seen = new Map(seen)
      this.#isBackAt = this.#ring.end
      this.#position = this.#ring.start
    } else if (lastEventId !== null) {
      this.#write(`event: reset\n${this.#idLine()}data: {}\n\n`)
    } else {
      this.#write(`: welcome\n${this.#idLine()}\n`)
    }
    this.flow()
  }

  flow(): void {
    if (this.#state === 'closed') return
    if (this.#position < this.#ring.start) this.#drop()
    while (this.#state === 'flowing') {
      const entry = this.#ring.at(this.#position)
      if (!entry) return
      const isBack = this.#position >= this.#isBackAt
      this.#position += 1
      if (this.#hasSeen(entry)) continue
      // In another order than before it may be ahead of the ring in some partitions: its ids never go back.
      if (!isBack) this.#seen.set(entry.partition, entry.offset)
      if (this.#wants(entry)) this.#write(toFrame(isBack ? entry.id : formatVector(this.#seen), entry.text))
    }
  }

  /** Keeps proxies from closing a quiet stream, and the id fresh where the filter lets nothing through. */
  beat(): void {
    if (this.#state === 'flowing') this.#write(`: still here\n${this.#idLine()}\n`)
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#sink.end()
  }

  #drop(): void {
    this.#state = 'closed'
    this.#onDropped()
    this.#sink.destroy()
  }

  #write(frame: string): void {
    if (this.#sink.write(frame)) return
    this.#state = 'waiting'
    this.#sink.onDrain(() => {
      if (this.#state !== 'waiting') return
      this.#state = 'flowing'
      this.flow()
    })
  }

  #idLine(): string {
    const { id } = this.#ring
    return id ? `id: ${id}\n` : ''
  }

  #hasSeen({ partition, offset }: RingEntry): boolean {
    const seen = this.#seen.get(partition)
    return seen !== undefined && offset <= seen
  }

  #wants({ stationId, type }: RingEntry): boolean {
    if (!this.#filter.isWanted(stationId)) return false
    return !this.#filter.types || this.#filter.types.some((each) => each === type || each === fullType.exec(type)?.[1])
  }
}

/** An SSE data line ends at a line break, and a CloudEvent may be printed over several. */
function toFrame(id: string, text: string): string {
  return `id: ${id}\ndata: ${text.replace(/\r\n|\r|\n/g, '\ndata: ')}\n\n`
}

function findType(text: string): string | null {
  try {
    const parsed = CloudEvent.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data.type : null
  } catch {
    return null
  }
}
