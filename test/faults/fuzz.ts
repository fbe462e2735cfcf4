import type { Protocol } from '@busbar/ocpp'
import type { Random } from './random.js'

type Schema = Record<string, unknown> & { properties?: Record<string, Schema>; items?: Schema; required?: string[] }

// The package exports no such path, but the files are there: only they hold the schemas.
const folder = new URL('../../node_modules/typed-ocpp/dist/', import.meta.url)
const schemas: Readonly<Record<string, Record<string, Schema>>> = {
  'ocpp1.6': await import(`${folder}ocpp16/schemas.js`),
  'ocpp2.0.1': await import(`${folder}ocpp20/schemas.js`),
}
const ending = 'Request'

/** What no place in a frame is made for. */
const strange = [
  ...['1e400', '-1e400', '1e-400', '-0', '-1', '1.5', '9007199254740993', '18446744073709551616', '1'.repeat(60)],
  ...['null', 'true', '{}', '[]', '""', '" "', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\uffff"', '"2"'],
  ...['"__proto__"', '"constructor"', '"toString"', '{"__proto__":{"x":1}}', '"2026-13-99T99:99:99Z"', '"-"'],
  ...[`"${'x'.repeat(2_000)}"`, '['.repeat(40) + ']'.repeat(40), '{"a":'.repeat(40) + 1 + '}'.repeat(40)],
  ...['2', '3', '4', '5', '6', '9', '"Heartbeat"', '"Reset"', '"-1"'],
  ...[',', ':', '[', ']', '{', '}', '"', '\\', '\u0000', '\ufeff', '\ud800', '//', "'", 'NaN', 'undefined', '0x10'],
]

/** Whole strings, numbers and words, and each mark. */
const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[a-z]+|[[\]{},:]/g
const basesAtOnce = 200
const framesPerBase = 20

/** Frames that are nearly right: calls by their schemas, with a few tokens that are replaced, lost, doubled or moved. */
export class FrameFuzzer {
  readonly #random: Random
  readonly #actions: [action: string, schema: Schema][]
  #bases: string[][] = []
  #made = 0

  constructor(protocol: Protocol, random: Random) {
    this.#random = random
    this.#actions = Object.entries(schemas[protocol] ?? {})
      .filter(([name, schema]) => name.endsWith(ending) && typeof schema === 'object')
      .map(([name, schema]) => [name.slice(0, -ending.length), schema])
  }

  /** @param messageId of the call, as long as it stays one */
  next(messageId: string): string {
    if (this.#made++ % (basesAtOnce * framesPerBase) === 0) this.#bases = this.#makeBases()
    const frame = [...this.#random.pick(this.#bases)]
    frame[3] = `"${messageId}"`
    for (let left = this.#random.integer(0, 3); left > 0; left -= 1) this.#bend(frame)
    const text = frame.join('')
    return this.#random.chance(0.05) ? text.slice(0, this.#random.integer(0, text.length)) : text
  }

  #bend(frame: string[]): void {
    const at = this.#random.integer(0, frame.length - 1)
    const kind = this.#random.integer(0, 9)
    if (kind < 6) frame[at] = this.#random.pick(strange)
    else if (kind === 6) frame.splice(at, 1)
    else if (kind === 7) frame.splice(at, 0, frame[at] ?? '')
    else if (kind === 8) frame.splice(at, this.#random.integer(1, 8))
    else frame[at] = frame[this.#random.integer(0, frame.length - 1)] ?? ''
  }

  #makeBases(): string[][] {
    return Array.from({ length: basesAtOnce }, () => {
      const [action, schema] = this.#random.pick(this.#actions)
      const text = JSON.stringify([2, 'id', action, sample(schema, schema, this.#random)])
      return text.match(tokens) ?? []
    })
  }
}

/** Something that fits the schema, as far as it matters here. */
function sample(schema: Schema, root: Schema, random: Random, depth = 0): unknown {
  const { $ref, enum: choices, type, format } = schema
  if (typeof $ref === 'string') return sample(resolve($ref, root), root, random, depth)
  if (Array.isArray(choices)) return random.pick(choices)
  if (type === 'object' || schema.properties) {
    const { properties = {}, required = [] } = schema
    const names = Object.keys(properties).filter((name) => required.includes(name) || (depth < 6 && random.chance(0.4)))
    return Object.fromEntries(names.map((name) => [name, sample(properties[name] ?? {}, root, random, depth + 1)]))
  }
  if (type === 'array') {
    const count = Math.max(Number(schema.minItems ?? 0), random.integer(0, 2))
    return Array.from({ length: count }, () => sample(schema.items ?? {}, root, random, depth + 1))
  }
  if (type === 'integer') return random.integer(0, 100)
  if (type === 'number') return random.integer(0, 10_000) / 10
  if (type === 'boolean') return random.chance(0.5)
  if (format === 'date-time')
    return new Date(Date.UTC(2026, random.integer(0, 11), random.integer(1, 28))).toISOString()
  if (format === 'uri') return 'https://example.org/x'
  return 'x'.repeat(random.integer(1, Math.min(Number(schema.maxLength ?? 20), 20)))
}

function resolve(reference: string, root: Schema): Schema {
  return reference
    .slice(2)
    .split('/')
    .reduce((place: unknown, name) => (place as Record<string, unknown>)[name], root) as Schema
}
