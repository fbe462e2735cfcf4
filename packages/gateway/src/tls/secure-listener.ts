import { createServer } from 'node:https'
import type { Logger } from 'pino'
import { httpOptions, type Listener, type ListenerConfig, type ListenerPorts, listen } from '../listener.js'
import {
  readServerCertificates,
  type ServerCertificate,
  type TlsConfig,
  toContextOptions,
  toServerCertificates,
} from './server-context.js'
import type { Trust } from './trust.js'

/** Why a handshake failed; labels of a metric. */
export const handshakeFaults = ['tls-version', 'tls-suite', 'tls-distrust', 'tls-timeout', 'tls-other'] as const
export type HandshakeFault = (typeof handshakeFaults)[number]

export interface SecureListener extends Listener {
  /** Reads the certificates anew. Files that do not fit leave the old ones in use, and the reason in the log. */
  reload(): Promise<void>
}

export interface SecureListenerPorts extends ListenerPorts {
  trust: Trust
  logger: Logger
  onHandshakeFault: (fault: HandshakeFault, address: string) => void
  /** What of the server's certificates is in use now. */
  onCertificates: (certificates: readonly ServerCertificate[]) => void
}

/**
 * The same over TLS. A client certificate is asked for and not required: profile 2 comes in by the same door, and what
 * is wrong with one is told to the operator with the station's id, which is known only from the request.
 * @throws Error when the address cannot be taken or a certificate cannot be used
 */
export async function listenSecurely(
  config: ListenerConfig,
  tls: TlsConfig,
  { trust, logger, onHandshakeFault, onCertificates, ...ports }: SecureListenerPorts,
): Promise<SecureListener> {
  let certificates = await readServerCertificates(tls.certificates)
  const context = () => toContextOptions(tls, certificates, trust.anchors)
  const tellCertificates = () => onCertificates(toServerCertificates(tls, certificates))
  const server = createServer({
    ...httpOptions(config),
    ...context(),
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: tls.handshakeTimeoutMs,
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    const fault = toFault(error)
    if (fault) onHandshakeFault(fault, socket.remoteAddress ?? '')
  })
  const reload = async () => {
    try {
      const read = await readServerCertificates(tls.certificates)
      if (JSON.stringify(read) === JSON.stringify(certificates)) return
      certificates = read
      tellCertificates()
      server.setSecureContext(context())
      logger.info('the server certificates were reloaded')
    } catch (cause) {
      logger.error({ err: cause }, 'the server certificates cannot be reloaded, the old ones stay')
    }
  }
  tellCertificates()
  const listener = await listen(server, { ...config, port: tls.port }, ports)
  trust.onChange(() => server.setSecureContext(context()))
  const timer = setInterval(() => void reload(), tls.reloadMs)
  return {
    port: listener.port,
    reload,
    close: () => {
      clearInterval(timer)
      return listener.close()
    },
  }
}

/** @returns null for a caller that just went away: a check of the port, not a station */
function toFault({ code }: NodeJS.ErrnoException): HandshakeFault | null {
  if (code === undefined || code === 'ECONNRESET' || code === 'EPIPE') return null
  if (distrust.test(code)) return 'tls-distrust'
  return faults[code] ?? 'tls-other'
}

/** What a caller says that does not take our certificate: its root is missing there, or too old. */
const distrust = /_ALERT_(UNKNOWN_CA|(BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(UNKNOWN|EXPIRED|REVOKED))$/

const faults: Record<string, HandshakeFault> = {
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls-version',
  ERR_SSL_VERSION_TOO_LOW: 'tls-version',
  ERR_SSL_NO_SHARED_CIPHER: 'tls-suite',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'tls-suite',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'tls-timeout',
}
