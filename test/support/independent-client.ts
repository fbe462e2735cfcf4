import { RPCClient } from 'ocpp-rpc'
import { allServices, hasServices, type System, startDistributed, startEmbedded } from './system.js'

/** Of every station that such a client plays. */
export const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

/** Where it is tried: on one process, and where the services are, on several. */
export const setUps = [
  { name: 'embedded', start: () => startEmbedded() },
  ...(hasServices()
    ? [
        {
          name: 'two gateways and two workers',
          start: () => startDistributed({ gateways: 2, workers: [allServices, allServices] }),
        },
      ]
    : []),
]

/** Somebody else's client, in strict mode: it judges our messages by its own reading of the standard. */
export function independentClient(system: System, gateway: number, identity: string, protocol: string): RPCClient {
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
