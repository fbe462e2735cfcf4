import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { GatewayConfig } from '../config.js'
import type { Connection } from './connection.js'

/** A WebSocket that knows its connection, so that its listeners need no closure of their own. */
export class StationSocket extends WebSocket {
  connection: Connection | null = null
}

/** The handshake and the frames of RFC 6455; everything before and above is ours. */
export interface SocketServer {
  /**
   * Answers the upgrade.
   * @returns null when the library refused it, and told the caller so
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): StationSocket | null
}

/** The station hung up: it has this long to finish the closing handshake. */
const closeTimeoutMs = 5_000

export function openSocketServer(config: GatewayConfig, onClosed: OnClosed): SocketServer {
  let chosen = ''
  function onClose(this: WebSocket, code: number, reason: Buffer): void {
    onClosed(this as StationSocket, code, reason.toString('utf8'))
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    WebSocket: StationSocket,
    handleProtocols: () => chosen,
    maxPayload: config.maxMessageBytes,
    // A message of 4 MiB in pieces of 1 KiB.
    maxFragments: 4_096,
    // A frame of 4 MiB in packets of 256 bytes.
    maxBufferedChunks: 16_384,
    // Stations put rubbish into tokens. Ending the connection would not mend that, and the log keeps the bytes.
    skipUTF8Validation: true,
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      threshold: 1_024,
      concurrencyLimit: 4,
    },
    // Not in the library's types yet.
    ...{ closeTimeout: closeTimeoutMs },
  })
  return {
    upgrade(request, socket, head, protocol) {
      let opened: StationSocket | null = null
      // handleUpgrade works synchronously, so the protocol chosen is this caller's.
      chosen = protocol
      server.handleUpgrade(request, socket, head, (webSocket) => {
        opened = webSocket
        webSocket.on('message', onMessage)
        webSocket.on('ping', onLife)
        webSocket.on('pong', onLife)
        webSocket.on('error', onError)
        webSocket.on('close', onClose)
      })
      return opened
    },
  }
}

export type OnClosed = (socket: StationSocket, code: number, reason: string) => void

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  ;(this as StationSocket).connection?.received(data, isBinary)
}

function onLife(this: WebSocket): void {
  ;(this as StationSocket).connection?.showedLife()
}

/** 'close' follows and says all. */
function onError(): void {}
