import { RPCClient } from 'ocpp-rpc'
import type { System } from './system.js'

/** Somebody else's client, in strict mode: it judges our messages by its own reading of the standard. */
export function independentClient(
  system: System,
  gateway: number,
  identity: string,
  password: string,
  protocol: string,
): RPCClient {
  const options = {
    endpoint: system.urls[gateway % system.urls.length] ?? '',
    identity,
    password,
    protocols: [protocol],
    strictMode: true,
    reconnect: false,
  }
  // Its types ask for every option, its documentation for these.
  return new RPCClient(options as unknown as ConstructorParameters<typeof RPCClient>[0])
}
