import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Running } from './roles.js'
import { stopAll, stopWithinMs } from './stopping.js'

const stopped: string[] = []
beforeEach(() => {
  stopped.length = 0
  vi.useFakeTimers({ toFake: ['setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function part(name: string, port: number | null, ending: Promise<void> = Promise.resolve()): Running {
  return {
    name,
    port,
    stop: async () => {
      await ending
      stopped.push(name)
    },
  }
}

const platform = { log: pino({ level: 'silent' }), close: async () => void stopped.push('platform') }

test('parts stop in the reverse order of their start, consumers together, what they stand on last', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const running = [part('stations', null), part('journal', null, held), part('gateway', 9_000), part('api', 8_080)]
  const stopping = stopAll(running, platform)
  await vi.waitFor(() => expect(stopped).toEqual(['api', 'gateway', 'stations']))
  release()

  expect(await stopping).toBe(true)
  expect(stopped).toEqual(['api', 'gateway', 'stations', 'journal', 'platform'])
})

test('a part that never stops does not keep the process, nor the others', async () => {
  const running = [part('stations', null), part('hangs', null, new Promise(() => {})), part('health', 8_081)]
  const stopping = stopAll(running, platform)
  await vi.advanceTimersByTimeAsync(stopWithinMs)

  expect(await stopping).toBe(false)
  expect(stopped).toEqual(['health', 'stations', 'platform'])
})

test('a part that fails to stop is told, and the rest stops', async () => {
  const running = [part('stations', null), part('fails', 1, Promise.reject(new Error('away')))]

  expect(await stopAll(running, platform)).toBe(false)
  expect(stopped).toEqual(['stations', 'platform'])
})
