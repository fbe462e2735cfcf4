import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { VirtualStation } from './virtual-station.js'

const accepted = { status: 'Accepted', interval: 300, currentTime: new Date().toISOString() }

afterEach(() => vi.restoreAllMocks())

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

test('a station that is stopped while it connects ends in peace when that attempt fails', async () => {
  const server = createServer()
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const station = new VirtualStation({ id: 'CP1', protocol: 'ocpp1.6', urls: [`ws://127.0.0.1:${port}`] })
  const started = station.start()
  const socket = await connected
  await station.stop()
  socket.destroy()
  await started
  server.close()
})
