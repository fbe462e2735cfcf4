import { type IncomingMessage, type Server, type ServerOptions, STATUS_CODES } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'

export interface Listener {
  port: number
  /** No new connections; upgraded sockets live on. */
  close(): Promise<void>
}

export interface ListenerConfig {
  host: string
  /** Until the head of a request is complete: a slow caller holds no socket. */
  headersTimeoutMs: number
  maxHeaderBytes: number
}

export interface ListenerPorts {
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** `Upgrade: websocket` came without `Connection: Upgrade`; it was refused. */
  onUnboundUpgrade: (request: IncomingMessage) => void
}

/** Limits of a server, with TLS or without. */
export function httpOptions({ maxHeaderBytes, headersTimeoutMs }: ListenerConfig): ServerOptions {
  return {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: headersTimeoutMs,
    connectionsCheckingInterval: 1_000,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  }
}

/**
 * Lets the server answer upgrades and nothing else. An upgrade is one only where `Connection` names it: else a proxy on the
 * way may have passed on what it took for an ordinary request, and a tunnel through it would be one that it does not know
 * of, in which the requests of others end.
 * @see RFC 9110 §7.8
 * @throws Error when the address cannot be taken
 */
export async function listen(
  server: Server | SecureServer,
  config: ListenerConfig & { port: number },
  { onUpgrade, onUnboundUpgrade }: ListenerPorts,
): Promise<Listener> {
  server.on('request', (request, response) => {
    if (request.headers.upgrade?.toLowerCase() === 'websocket') onUnboundUpgrade(request)
    response
      .writeHead(426, { Connection: 'Upgrade, close', Upgrade: 'websocket', 'Content-Type': 'text/plain' })
      .end('Needed: Upgrade: websocket and Connection: Upgrade')
  })
  server.on('upgrade', (request, socket, head) => {
    // Until the WebSocket library takes it, nobody else hears the socket's errors.
    socket.on('error', destroySocket)
    onUpgrade(request, socket, head)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Whatever else failed, there is no HTTP to answer in.
    if (!/^(HPE_|ERR_HTTP_)/.test(error.code ?? '') || !socket.writable) return socket.destroy()
    writeRefusal(socket, statusOf(error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.port, config.host, 4_096, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

/** Answers with nothing but the status, and ends the socket. */
export function writeRefusal(socket: Duplex, status: number, headers: Record<string, string> = {}): void {
  const reason = STATUS_CODES[status] ?? ''
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'text/plain',
    'Content-Length': String(reason.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${reason}`)
  // A caller that does not close its side holds no socket.
  socket.once('finish', () => socket.destroy())
}

function statusOf({ code }: NodeJS.ErrnoException): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}

/** For sockets of which nobody else hears the errors. */
export function destroySocket(this: Duplex): void {
  this.destroy()
}
