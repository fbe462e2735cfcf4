import type { Payload } from './protocol.js'

// A schema wants a number where parseFrame kept a text. Beside the payload, so that its readers see exact values only.
const roundedPayloads = new WeakMap<object, unknown>()

export function rememberRounded(payload: Payload, rounded: unknown): void {
  roundedPayloads.set(payload, rounded)
}

/** The payload as JSON.parse would have given it, for the schema. */
export function roundedOf(payload: unknown): unknown {
  return (typeof payload === 'object' && payload !== null && roundedPayloads.get(payload)) || payload
}
