import { StationSocket } from '@busbar/simulator'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { allServices, hasServices, type System, startDistributed, startEmbedded, until } from '../support/system.js'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

/** A client of the live stream. */
class Stream {
  text = ''
  readonly #closing = new AbortController()

  static async open({ api }: System, lastEventId?: string): Promise<Stream> {
    const stream = new Stream()
    const response = await fetch(`${api.url}/v1/events`, {
      headers: {
        authorization: `Bearer ${api.key}`,
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      },
      signal: stream.#closing.signal,
    })
    expect(response.status).toBe(200)
    void stream.#read(response)
    return stream
  }

  async #read({ body }: Response): Promise<void> {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of body ?? []) this.text += decoder.decode(chunk as Uint8Array, { stream: true })
    } catch {
      // It was closed, by us or by the restart.
    }
  }

  get events(): { source: string; type: string }[] {
    return [...this.text.matchAll(/^data: (\{.+\})$/gm)].map(([, data = '']) => JSON.parse(data))
  }

  get lastId(): string {
    return [...this.text.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1] ?? ''
  }

  booted(): string[] {
    return this.events
      .filter(({ type }) => type === 'busbar.station.booted.v1')
      .map(({ source }) => source.replace('/busbar/stations/', ''))
  }

  close(): void {
    this.#closing.abort()
  }
}

describe.each([
  { side: 'embedded', start: () => startEmbedded() },
  { side: 'on Kafka', start: () => startDistributed({ gateways: 1, workers: [allServices] }) },
])('$side', ({ side, start }) => {
  let system: System
  afterEach(() => system?.stop())

  test.runIf(side === 'embedded' || hasServices())(
    'a client goes on where it was after the API was started anew, and a new one begins with what happens then',
    async () => {
      system = await start()
      const ids = ['CS-0', 'CS-1', 'CS-2', 'CS-3', 'CS-4']
      for (const id of ids) await system.api.registerStation(id, password)
      const boot = async (id: string) => {
        const socket = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
        await socket.call('BootNotification', { chargePointVendor: 'Busbar', chargePointModel: 'Resume' })
        socket.close()
      }
      const before = await Stream.open(system)
      await until('the stream is open', async () => before.lastId !== '' || before.text.includes('welcome'))
      await boot('CS-0')
      await boot('CS-1')
      await until('two events', async () => before.booted().length === 2)
      const { lastId } = before
      await boot('CS-2')
      await until('one that this client misses', async () => before.booted().length === 3)
      before.close()

      await system.apiProcess.stop()
      if (side !== 'embedded') await boot('CS-3')
      await system.restartApi()
      const [after, fresh] = [await Stream.open(system, lastId), await Stream.open(system)]
      await boot('CS-4')

      await until('the event of now', async () => [after, fresh].every((each) => each.booted().includes('CS-4')))
      // In the order of each station: not of all.
      expect(after.booted().sort()).toEqual(side === 'embedded' ? ['CS-2', 'CS-4'] : ['CS-2', 'CS-3', 'CS-4'])
      expect(after.text).not.toContain('event: reset')
      expect(fresh.booted()).toEqual(['CS-4'])
      for (const each of [after, fresh]) each.close()
    },
  )
})
