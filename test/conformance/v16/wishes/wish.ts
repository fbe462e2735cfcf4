import { expect } from 'vitest'

/** What an operator wants of a station: as the CALL itself, and in the words of a typed endpoint. */
export interface Wish {
  action: string
  /** Of the CALL, as `POST .../commands` takes it. */
  payload: Record<string, unknown>
  /** Of the typed endpoint. */
  path: string
  body: object
  /** The CALL that Busbar builds out of `body`; without it, one equal to `payload`. */
  sent?: unknown
}

export const wish = (action: string, payload: object, path: string, body: object, sent?: unknown): Wish => ({
  ...{ action, payload: payload as Record<string, unknown>, path, body },
  ...(sent !== undefined && { sent }),
})

export const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
export const aNumber = expect.any(Number)
export const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()

let lastId = Math.floor(Date.now() / 1_000) % 1_000_000_000

/** For what the operator numbers when it writes the CALL itself: never the same twice. */
export const nextId = () => ++lastId
