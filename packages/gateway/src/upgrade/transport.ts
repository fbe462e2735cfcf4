import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import {
  type CertificateFault,
  type ClientCertificate,
  parseForwardedCertificate,
  readPeerCertificate,
} from '../tls/client-certificate.js'
import type { TrustedProxies } from './address.js'

/** How a request came here. */
export interface Transport {
  /** The caller's own, proxies of ours looked through. */
  address: string
  isProxied: boolean
  /** TLS all the way from the station, to us or to a proxy of ours. */
  isSecure: boolean
  certificate: ClientCertificate | CertificateFault | null
  /** Headers that only a proxy of ours is believed, from somebody else. */
  ignoredHeaders: readonly string[]
}

/**
 * A proxy of ours that ends TLS says so in X-Forwarded-Proto and passes the client certificate on in a header; where it
 * says nothing it passes bytes through, and the connection speaks for itself.
 * @param certificateHeader lower case; null when no proxy ends TLS
 */
export function readTransport(
  request: IncomingMessage,
  proxies: TrustedProxies,
  certificateHeader: string | null,
): Transport {
  const { socket } = request
  const isProxied = proxies.has(socket.remoteAddress ?? '')
  const header = (name: string) => [request.headers[name] ?? []].flat().join(',')
  const address = proxies.clientAddress(socket.remoteAddress, header('x-forwarded-for'))
  const names = ['x-forwarded-proto', ...(certificateHeader === null ? [] : [certificateHeader])]
  if (!isProxied) {
    const ignoredHeaders = names.filter((name) => request.headers[name] !== undefined)
    return { address, isProxied, ignoredHeaders, ...readConnection(request) }
  }
  const forwarded = header('x-forwarded-proto')
  if (forwarded === '') return { address, isProxied, ignoredHeaders: [], ...readConnection(request) }
  // Every hop on the way, for a list of them.
  const isSecure = forwarded.split(',').every((protocol) => /^\s*(https|wss)\s*$/i.test(protocol))
  const isForwarded = isSecure && certificateHeader !== null
  const certificate = isForwarded ? parseForwardedCertificate(header(certificateHeader)) : null
  return { address, isProxied, isSecure, certificate, ignoredHeaders: [] }
}

function readConnection({ socket }: IncomingMessage): Pick<Transport, 'isSecure' | 'certificate'> {
  const isSecure = socket instanceof TLSSocket
  return { isSecure, certificate: isSecure ? readPeerCertificate(socket) : null }
}
