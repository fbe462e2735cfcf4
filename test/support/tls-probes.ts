import { randomBytes } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect, getCiphers, type TLSSocket } from 'node:tls'

// What a scanner tries at a TLS port of this machine.

/** As far as this machine still speaks them. */
export const oldVersions = ['TLSv1', 'TLSv1.1'] as const

/** Those of a profile 2 or 3, by their names in OpenSSL; the last two are asked for by the white paper and switchable. */
export const meantSuites = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
]

/** @param ca by which the server is known; PEM. @throws the fault of the handshake */
export function handshake(port: number, ca: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca, ...options }, () => resolve(socket))
    socket.on('error', reject)
  })
}

async function cameAbout(attempt: Promise<TLSSocket>): Promise<boolean> {
  const socket = await attempt.catch(() => null)
  socket?.destroy()
  return socket !== null
}

/** Versions below 1.2 in which a handshake comes about. */
export async function findOldVersions(port: number, ca: string): Promise<string[]> {
  const found: string[] = []
  for (const version of oldVersions) {
    const options = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' }
    if (await cameAbout(handshake(port, ca, options))) found.push(version)
  }
  return found
}

/** Offers each suite of TLS 1.2 and below that this machine speaks. @returns those with which a handshake comes about */
export async function findSuites(port: number, ca: string): Promise<{ offered: number; spoken: string[] }> {
  const offered = getCiphers()
    .map((name) => name.toUpperCase())
    .filter((name) => !name.startsWith('TLS_'))
  const spoken: string[] = []
  for (const suite of offered) {
    const options = { ciphers: `${suite}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' } as const
    if (await cameAbout(handshake(port, ca, options))) spoken.push(suite)
  }
  return { offered: offered.length, spoken }
}

/** Whether the server lets its peer shake hands anew within a connection. */
export async function renegotiates(port: number, ca: string): Promise<boolean> {
  const socket = await handshake(port, ca, { maxVersion: 'TLSv1.2' })
  const fault = await new Promise<Error | null>((resolve) => {
    socket.on('error', resolve)
    socket.renegotiate({}, resolve)
  })
  socket.destroy()
  return fault === null
}

/** Whether a session that was begun once spares its owner the certificate the next time. */
export async function resumes(port: number, ca: string): Promise<boolean> {
  const socket = await handshake(port, ca, { maxVersion: 'TLSv1.2' })
  const session = socket.getSession()
  socket.destroy()
  const again = await handshake(port, ca, { maxVersion: 'TLSv1.2', ...(session && { session }) })
  const isReused = again.isSessionReused()
  again.destroy()
  return isReused
}

/** Begins a handshake and breaks it off, as a caller does that does not know the server's root. */
export function distrusts(port: number): Promise<void> {
  const [alert, fatal, unknownCa] = [21, 2, 48]
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.write(clientHello()))
    socket.on('error', reject)
    socket.once('data', () => socket.end(Buffer.from([alert, 3, 3, 0, 2, fatal, unknownCa])))
    socket.on('close', () => resolve())
  })
}

/**
 * Which compression the server takes of DEFLATE and none, offered in this order; 0 is none. Asked in bytes, because no
 * library at hand offers one any more.
 * @throws when it answers with something else than its choice
 * @see RFC 5246 §7.4.1.2, RFC 3749
 */
export function chosenCompression(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.write(clientHello()))
    socket.on('error', reject)
    socket.once('data', (record) => {
      socket.destroy()
      const [type, handshakeType] = [record[0], record[5]]
      if (type !== 22 || handshakeType !== 2) return reject(new Error(`no ServerHello: ${record.toString('hex')}`))
      // Record and message have 9 bytes of head; then version, random and the session's id with its length, and a suite.
      const sessionLength = record[9 + 2 + 32] ?? 0
      resolve(record[9 + 2 + 32 + 1 + sessionLength + 2] ?? Number.NaN)
    })
  })
}

function clientHello(): Buffer {
  const bytes = (...values: number[]) => Buffer.from(values)
  const withLength = (size: number, content: Buffer) => {
    const length = Buffer.alloc(size)
    length.writeUIntBE(content.length, 0, size)
    return Buffer.concat([length, content])
  }
  const extension = (type: number, content: Buffer) =>
    Buffer.concat([bytes(type >> 8, type & 255), withLength(2, content)])
  const suites = bytes(0xc0, 0x2b, 0xc0, 0x2f)
  const [deflate, none] = [1, 0]
  const extensions = Buffer.concat([
    extension(10, withLength(2, bytes(0, 0x17, 0, 0x1d))),
    extension(11, withLength(1, bytes(0))),
    extension(13, withLength(2, bytes(4, 3, 8, 4, 4, 1))),
  ])
  const hello = Buffer.concat([
    bytes(3, 3),
    randomBytes(32),
    withLength(1, bytes()),
    withLength(2, suites),
    withLength(1, bytes(deflate, none)),
    withLength(2, extensions),
  ])
  return Buffer.concat([bytes(22, 3, 1), withLength(2, Buffer.concat([bytes(1), withLength(3, hello)]))])
}
