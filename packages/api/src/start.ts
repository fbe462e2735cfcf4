import type { Api } from './api.js'
import { buildApi } from './app.js'
import { portOf } from './health.js'
import { type ApiConfig, type ApiPorts, apiDefaults } from './ports.js'

export interface RunningApi {
  port: number
  url: string
  /** Ends streams and waits, finishes requests in hand. */
  stop(): Promise<void>
}

/**
 * REST, live events and their documentation.
 * @throws UnavailableError when the event log cannot be followed
 * @throws Error when the port is taken
 */
export async function startApi(
  config: Pick<ApiConfig, 'host' | 'port'> & Partial<ApiConfig>,
  ports: ApiPorts,
): Promise<RunningApi> {
  const app: Api = await buildApi({ ...apiDefaults, ...config }, ports)
  try {
    const url = await app.listen({ host: config.host, port: config.port })
    return { url, port: portOf(app), stop: () => app.close() }
  } catch (cause) {
    await app.close()
    throw cause
  }
}
