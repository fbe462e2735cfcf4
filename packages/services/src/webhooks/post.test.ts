import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { startReceiver } from '../../../../test/support/receiver.js'
import { Egress } from './egress.js'
import { post } from './post.js'

const egress = new Egress({ origins: ['http://127.0.0.1:*'], networks: ['127.0.0.0/8'] })
const message = { headers: { 'x-test': 'yes' }, body: Buffer.from('{"a":"ü"}') }
const send = (url: string, timeoutMs = 2_000) => post(url, message, { egress, timeoutMs })

test('what was given arrives as it is', async () => {
  const receiver = await startReceiver()
  expect(await send(receiver.url)).toEqual({ status: 204, error: null, retryAfterMs: null })
  expect(receiver.received).toMatchObject([{ path: '/hook', headers: { 'x-test': 'yes' }, body: '{"a":"ü"}' }])
  await receiver.stop()
})

test('a redirect is a failure, and is not followed', async () => {
  const target = await startReceiver()
  const receiver = await startReceiver((_, response) => response.writeHead(307, { location: target.url }).end())
  expect(await send(receiver.url)).toMatchObject({ status: 307, error: 'answered 307' })
  expect(target.connections()).toBe(0)
  await receiver.stop()
  await target.stop()
})

test('no answer in time is a failure, and the connection is given up', async () => {
  let closed: () => void = () => {}
  const given = new Promise<void>((resolve) => {
    closed = resolve
  })
  const receiver = await startReceiver((_, response) => response.once('close', closed))
  expect(await send(receiver.url, 100)).toMatchObject({ status: null, error: 'no answer within 100 ms' })
  await given
  await receiver.stop()
})

test('of an answer without end no more than 64 KiB is taken, and its status counts', async () => {
  let closed: () => void = () => {}
  const given = new Promise<void>((resolve) => {
    closed = resolve
  })
  const receiver = await startReceiver((_, response) => {
    response.writeHead(200)
    const more = () => {
      while (response.write('x'.repeat(16_384)));
    }
    response.on('drain', more).once('close', closed)
    more()
  })
  expect(await send(receiver.url, 30_000)).toMatchObject({ status: 200, error: null })
  await given
  await receiver.stop()
})

test('who asks to be left alone for a while is', async () => {
  const receiver = await startReceiver((_, response) => response.writeHead(429, { 'retry-after': '120' }).end())
  expect(await send(receiver.url)).toMatchObject({ status: 429, retryAfterMs: 120_000 })
  await receiver.stop()
})

test('a closed port and a host that speaks no HTTP are failures', async () => {
  const closed = await startReceiver()
  await closed.stop()
  expect(await send(closed.url)).toMatchObject({ status: null, error: expect.stringContaining('ECONNREFUSED') })

  const server = createServer((socket) => socket.end('220 mail.example.com ESMTP\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status: null, error: expect.any(String) })
  server.close()
})
