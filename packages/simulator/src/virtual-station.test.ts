import type { AddressInfo } from 'node:net'
import { expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { VirtualStation } from './virtual-station.js'

const accepted = { status: 'Accepted', interval: 300, currentTime: new Date().toISOString() }

/** Answers each call as if it were the boot. */
async function openServer(): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'ocpp1.6' })
  server.on('connection', (socket) =>
    socket.on('message', (data) => socket.send(JSON.stringify([3, JSON.parse(String(data))[1], accepted]))),
  )
  await new Promise((resolve) => server.once('listening', resolve))
  return server
}

test('a station that is stopped while its server is away leaves no timer behind, so the process can end', async () => {
  const server = await openServer()
  const running = new Set<unknown>()
  const begin = globalThis.setInterval
  vi.spyOn(globalThis, 'setInterval').mockImplementation((...args) => {
    const timer = begin(...args)
    running.add(timer)
    return timer
  })
  const end = globalThis.clearInterval
  vi.spyOn(globalThis, 'clearInterval').mockImplementation((timer) => {
    running.delete(timer)
    end(timer)
  })
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  const station = new VirtualStation({ id: 'CP1', protocol: 'ocpp1.6', urls: [url], reconnectMs: 20 })
  await station.start()
  expect(running.size).toBe(1)

  for (const socket of server.clients) socket.terminate()
  server.close()
  await vi.waitFor(() => expect(station.isOnline).toBe(false))
  await station.stop()
  await new Promise((resolve) => setTimeout(resolve, 500))

  expect([...running]).toEqual([])
})
