import type { Payload } from '@busbar/ocpp'

export function isObject(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects of a list; none when it is no list. */
export function toObjects(value: unknown): Payload[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}
