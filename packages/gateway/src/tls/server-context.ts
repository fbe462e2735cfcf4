import { constants, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

export interface TlsConfig {
  /** 0 takes a free one. */
  port: number
  /** PEM files: one pair with an RSA key, one with an EC key, or either. A certificate's file holds its chain, leaf first. */
  certificates: readonly { certificateFile: string; keyFile: string }[]
  /** TLS_RSA_WITH_AES_*_GCM: asked for by the white paper, without forward secrecy. */
  rsaKeyExchange: boolean
  handshakeTimeoutMs: number
  /** The files are looked at this often. */
  reloadMs: number
}

/** In our order of preference; TLS 1.3's first. */
const suites = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
]
const rsaKeyExchangeSuites = ['AES128-GCM-SHA256', 'AES256-GCM-SHA384']

/**
 * What the files hold now. OpenSSL chooses among the certificates by what the caller offers.
 * @throws Error naming the file that is missing, unreadable, or no pair with its key
 */
export async function readServerCertificates(
  pairs: TlsConfig['certificates'],
): Promise<{ cert: string[]; key: string[] }> {
  const read = await Promise.all(
    pairs.map(async ({ certificateFile, keyFile }) => {
      const [cert, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')])
      try {
        createSecureContext({ cert, key })
      } catch (cause) {
        throw new Error(`${certificateFile} and ${keyFile} are no certificate with its key`, { cause })
      }
      return { cert, key }
    }),
  )
  return { cert: read.map(({ cert }) => cert), key: read.map(({ key }) => key) }
}

/** What an operator wants to know of a certificate before it ends. */
export interface ServerCertificate {
  file: string
  expiresAt: Date
}

export function toServerCertificates(
  { certificates }: Pick<TlsConfig, 'certificates'>,
  { cert }: { cert: readonly string[] },
): ServerCertificate[] {
  return certificates.map(({ certificateFile: file }, index) => ({
    file,
    expiresAt: new Date(new X509Certificate(cert[index] ?? '').validTo),
  }))
}

/**
 * TLS 1.2 and up, no compression, no renegotiation. No session tickets either: a resumed session does not bring the
 * path of its client certificate, which is judged at every upgrade.
 * @param anchors PEM; their names go into the request for a client certificate
 * @see OCPP 1.6 security white paper, A00.FR.312 to 320, 416 to 424
 */
export function toContextOptions(
  { rsaKeyExchange }: Pick<TlsConfig, 'rsaKeyExchange'>,
  certificates: Pick<SecureContextOptions, 'cert' | 'key'>,
  anchors: readonly string[],
): SecureContextOptions {
  return {
    ...certificates,
    // Never undefined: then everybody's authorities would be ours.
    ca: [...anchors],
    minVersion: 'TLSv1.2',
    ciphers: [...suites, ...(rsaKeyExchange ? rsaKeyExchangeSuites : [])].join(':'),
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
  }
}
