import { createServer } from 'node:http'
import { httpOptions, type Listener, type ListenerConfig, listen } from './listener.js'
import { listenSecurely, type SecureListenerPorts } from './tls/secure-listener.js'
import type { TlsConfig } from './tls/server-context.js'

/** Where stations come in: a plain port, and one with TLS. */
export interface Doors extends Listener {
  /** null without TLS. */
  tlsPort: number | null
  reloadCertificates(): Promise<void>
}

/** @throws Error when an address cannot be taken or a certificate cannot be used; then both are closed */
export async function openDoors(
  config: ListenerConfig & { port: number; tls: TlsConfig | null },
  ports: SecureListenerPorts,
): Promise<Doors> {
  const secure = config.tls && (await listenSecurely(config, config.tls, ports))
  try {
    const plain = await listen(createServer(httpOptions(config)), config, ports)
    return {
      port: plain.port,
      tlsPort: secure?.port ?? null,
      reloadCertificates: async () => secure?.reload(),
      close: async () => {
        await Promise.all([plain.close(), secure?.close()])
      },
    }
  } catch (cause) {
    await secure?.close()
    throw cause
  }
}
