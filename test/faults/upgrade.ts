import { connect, type Socket } from 'node:net'

export interface Credentials {
  id: string
  /** null: none are sent */
  secret: string | null
}

export interface Attempt {
  status: number
  body: string
  milliseconds: number
}

/** Asks for an upgrade as cheaply as an attacker would, and hangs up. @param secret null: without credentials */
export function tryUpgrade(port: number, id: string, secret: string | null, address: string): Promise<Attempt> {
  return tryTarget(port, `/ocpp/${encodeURIComponent(id)}`, { id, secret }, address)
}

/** @param target as it stands in the request line */
export function tryTarget(port: number, target: string, credentials: Credentials, address: string): Promise<Attempt> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let text = ''
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed without an answer: ${text}`)))
    socket.on('data', (data) => {
      text += data.toString('latin1')
      const [head = '', body = ''] = text.split('\r\n\r\n')
      if (!text.includes('\r\n\r\n')) return
      resolve({ status: Number(head.slice(9, 12)), body, milliseconds: performance.now() - startedAt })
      socket.destroy()
    })
    socket.write(requestOf(target, credentials, address))
  })
}

/**
 * A connection that speaks WebSocket without a library between it and the bytes.
 * @param headers lines of the request besides those of every upgrade
 */
export function openRaw(port: number, id: string, secret: string, headers = ''): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () =>
      socket.write(requestOf(`/ocpp/${encodeURIComponent(id)}`, { id, secret }, '127.0.0.1', headers)),
    )
    socket.on('error', reject)
    socket.once('data', (data) => {
      const [line = ''] = data.toString('latin1').split('\r\n')
      if (line.includes(' 101 ')) resolve(socket)
      else reject(new Error(line))
    })
  })
}

/** One masked text frame of up to 64 KiB (RFC 6455); the mask is zero. */
export function toFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head = Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, 0, 0, 0, 0])
  return Buffer.concat([head, payload])
}

export const compression = 'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n'

export function requestOf(target: string, { id, secret }: Credentials, address: string, headers = ''): string {
  const credentials =
    secret === null ? '' : `Authorization: Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}\r\n`
  return (
    `GET ${target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
    `Sec-WebSocket-Protocol: ocpp1.6\r\nX-Forwarded-For: ${address}\r\n${credentials}${headers}\r\n`
  )
}

/** As many callers as there are numbers. */
export function addressOf(index: number): string {
  return `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`
}
