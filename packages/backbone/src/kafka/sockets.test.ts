import net from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { until } from '../contract/sides.js'
import { BrokerSockets } from './sockets.js'

vi.setConfig({ testTimeout: 30_000 })

/** How long it takes over some questions: milliseconds. */
const takes: Record<string, number> = { slow: 6_000, late: 3_000 }

/** Takes connections at all times, and answers while it is not frozen nor gone. */
class Broker {
  isFrozen = false
  /** What is in front of it takes connections still. */
  isGone = false
  readonly #server = net.createServer((socket) => {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    if (this.isGone) return socket.end()
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      if (this.isFrozen) return
      setTimeout(() => socket.write(bytes), takes[String(bytes)] ?? 0)
    })
  })
  readonly #sockets = new Set<net.Socket>()

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get connections(): number {
    return this.#sockets.size
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** What a client of these sockets hears. */
function ask(sockets: BrokerSockets, broker: Broker) {
  const heard: string[] = []
  const onConnect = () => {
    heard.push('connect')
    socket.write('question')
  }
  const socket = sockets.open({ host: '127.0.0.1', port: broker.port, ssl: undefined as never, onConnect })
  socket.on('data', (bytes) => heard.push(String(bytes)))
  socket.on('end', () => heard.push('end'))
  socket.on('error', (cause: NodeJS.ErrnoException) => heard.push(cause.code ?? cause.message))
  return { heard, socket }
}

const broker = new Broker()
let sockets: BrokerSockets
beforeEach(async () => {
  broker.isFrozen = false
  broker.isGone = false
  await broker.listen()
  sockets = new BrokerSockets()
})
afterEach(async () => {
  vi.useRealTimers()
  await broker.close()
})

const isAnswered = async () => {
  const { heard, socket } = ask(sockets, broker)
  await until(() => heard.includes('question') || heard.includes('ECONNREFUSED'))
  socket.destroy()
  return heard.includes('question')
}

test('a broker that answers nothing looks like one that is gone, until it answers again', async () => {
  const early = ask(sockets, broker)
  await until(() => early.heard.includes('question'))
  broker.isFrozen = true
  early.socket.write('another')
  const late = ask(sockets, broker)

  await until(() => early.heard.includes('end') && late.heard.includes('ECONNREFUSED'))
  expect(early.socket.destroyed && late.socket.destroyed).toBe(true)
  expect(await isAnswered()).toBe(false)

  broker.isFrozen = false
  await until(isAnswered)
})

test('one whose connections end before it said a word looks like one that is gone, until it answers again', async () => {
  broker.isGone = true
  const first = ask(sockets, broker)
  await until(() => first.heard.includes('end'))
  expect(await isAnswered()).toBe(false)

  broker.isGone = false
  await until(isAnswered)
})

test('one that we hung up on before it said a word is not taken for gone', async () => {
  const options = { host: '127.0.0.1', port: broker.port, ssl: undefined as never }
  const socket = sockets.open({ ...options, onConnect: () => socket.end() }).resume()
  await new Promise((resolve) => socket.once('close', resolve))

  expect(await isAnswered()).toBe(true)
})

test('a broker that takes its time over one question is not taken for silent', async () => {
  const asked = ask(sockets, broker)
  await until(() => asked.heard.includes('question'))
  asked.socket.write('slow')
  await until(() => asked.heard.includes('slow'))

  expect(asked.heard).toEqual(['connect', 'question', 'slow'])
  asked.socket.destroy()
})

test('a broker that speaks on another line while it is probed is not taken for silent', async () => {
  const frozen = new Broker()
  frozen.isFrozen = true
  await frozen.listen()
  let opened = 0
  sockets = new BrokerSockets(({ host, port, onConnect }) => {
    opened += 1
    return net.connect({ host, port: opened === 1 ? port : frozen.port }, onConnect)
  })
  const asked = ask(sockets, broker)
  await until(() => asked.heard.includes('question'))
  asked.socket.write('late')
  await until(() => asked.heard.includes('late'))
  expect(opened).toBe(2)

  // By then the probe is over.
  await until(() => frozen.connections === 0)
  expect(asked.heard).toEqual(['connect', 'question', 'late'])
  asked.socket.destroy()
  await frozen.close()
})

test('a broker that nobody has asked anything may be quiet', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'performance'] })
  let opened = 0
  sockets = new BrokerSockets(({ host, port, onConnect }) => {
    opened += 1
    return net.connect({ host, port }, onConnect)
  })
  const asked = ask(sockets, broker)
  await vi.waitFor(() => expect(asked.heard).toEqual(['connect', 'question']))

  vi.advanceTimersByTime(60_000)
  expect(opened).toBe(1)
  expect(asked.socket.destroyed).toBe(false)

  // Asked something, it is probed at the next look: by then it owes an answer.
  broker.isFrozen = true
  asked.socket.write('another')
  vi.advanceTimersByTime(500)
  expect(opened).toBe(2)
  asked.socket.destroy()
})
