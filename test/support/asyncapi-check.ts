import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { readLogEnds, untilDrained } from './log-ends.js'
import type { System } from './system.js'
import { readTopic, type TopicRecord } from './topics.js'

interface Message {
  name: string
  headers?: { properties?: { type?: { const?: string } } }
  payload: { properties?: { type?: { const?: string } } }
}
interface Document {
  channels: Record<string, { address: string; messages: Record<string, Message> }>
}

/** Holds what travels on the topics against the AsyncAPI document. */
export class AsyncApiCheck {
  /** @returns one that knows the document of this system */
  static async of({ api }: System): Promise<AsyncApiCheck> {
    return new AsyncApiCheck((await (await fetch(`${api.url}/docs/asyncapi.json`)).json()) as object)
  }

  readonly #channels: Map<string, { message: Message; headers: ValidateFunction; payload: ValidateFunction }[]>
  /** Messages that were seen, `<topic> <name>`. */
  readonly seen = new Set<string>()

  constructor(document: object) {
    const isTime = (text: string) => /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text) && !Number.isNaN(Date.parse(text))
    const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': isTime } })
    this.#channels = new Map(
      Object.values((document as Document).channels).map(({ address, messages }) => [
        address,
        Object.values(messages).map((message) => ({
          message,
          headers: ajv.compile(message.headers ?? {}),
          payload: ajv.compile(message.payload),
        })),
      ]),
    )
  }

  /**
   * All that every topic of the system holds.
   * @returns faults: each once; events: the kinds of events that were among it
   */
  async findFaultsIn(system: System): Promise<{ faults: string[]; events: string[] }> {
    await untilDrained(system)
    const ends = [...(await readLogEnds(system))].filter(([, end]) => end > 0n)
    const topics = new Set(ends.map(([place]) => place.slice(0, place.lastIndexOf('/'))))
    topics.delete(`${system.topicPrefix}.canary`)
    const faults = new Set<string>()
    for (const topic of topics) {
      for (const record of await readTopic(system, topic)) {
        for (const fault of this.findFaults(topic, record)) faults.add(fault)
      }
    }
    const events = `${system.topicPrefix}.events `
    const names = [...this.seen].filter((each) => each.startsWith(events)).map((each) => each.slice(events.length))
    return { faults: [...faults], events: names.sort() }
  }

  /** @returns what the document does not say so; empty for a record that is as described */
  findFaults(topic: string, { value, headers }: TopicRecord): string[] {
    const messages = this.#channels.get(topic)
    if (!messages) return [`${topic} is not described`]
    const payload = parse(value)
    const type = headers.type ?? (payload as { type?: unknown } | null)?.type
    // What names its type is held against that one alone, so that the fault is told and not that nothing fits.
    const fitting = messages.filter(({ message }) => {
      const named = message.headers?.properties?.type?.const ?? message.payload.properties?.type?.const
      return named === undefined || named === type
    })
    if (fitting.length === 0) return [`${topic}: no message ${String(type)} is described`]
    const faults = fitting.map((each) => {
      if (each.headers(headers) && each.payload(payload)) {
        this.seen.add(`${topic} ${each.message.name}`)
        return []
      }
      return [...(each.headers.errors ?? []), ...(each.payload.errors ?? [])].map(
        ({ instancePath, message, params }) =>
          `${topic} ${each.message.name}: ${instancePath} ${message} ${JSON.stringify(params)}`,
      )
    })
    return faults.some((each) => each.length === 0) ? [] : faults.flat()
  }
}

/** A broken frame is a text. */
function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch {
    return value.toString('utf8')
  }
}
