/** JSON Schema, as AsyncAPI takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>

export const text: JsonSchema = { type: 'string' }
export const integer: JsonSchema = { type: 'integer' }
export const time: JsonSchema = { type: 'string', format: 'date-time' }
export const flag: JsonSchema = { type: 'boolean' }
export const anything: JsonSchema = {}
/** Free in its fields. */
export const object: JsonSchema = { type: 'object' }
/** A number as the text of a header. */
export const digits: JsonSchema = { type: 'string', pattern: '^-?\\d+$' }

export const constant = (value: string): JsonSchema => ({ const: value })
export const oneOf = (...values: string[]): JsonSchema => ({ enum: values })
export const nullable = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] })
export const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items })

/** All fields there, no others. */
export function record(properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required, additionalProperties: false }
}
