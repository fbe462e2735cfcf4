import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { TopicRecord } from './topics.js'

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
