import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

export interface EgressRules {
  /** `https://*`, `https://*.example.com`, `http://hooks.internal:8080`; without a port the scheme's own, `:*` is any. */
  origins: readonly string[]
  /** Networks (CIDR) that may be reached although they are not public: `10.1.0.0/16`, `fd00::/8`. */
  networks: readonly string[]
}

/** As `dns.lookup` with `all`. */
export type Resolve = (
  hostname: string,
  options: { all: true },
  callback: (cause: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** That our rules, and not the network, keep a request from being made. */
export class EgressError extends Error {
  override readonly name = 'EgressError'
}

const originPattern = /^(https?):\/\/(\*|(?:\*\.)?[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/i

export const isEgressOrigin = (text: string): boolean => originPattern.test(text)
export const isNetwork = (text: string): boolean => ipaddr.isValidCIDR(text)

/**
 * What Busbar may call outside. An address is judged where the connection is made, after DNS and for what DNS said there:
 * a name that resolves to another address a moment later gains nothing.
 */
export class Egress {
  readonly #origins: readonly Origin[]
  readonly #networks: readonly Network[]
  readonly #resolve: Resolve

  constructor({ origins, networks }: EgressRules, resolve: Resolve = systemLookup) {
    this.#origins = origins.map(parseOrigin)
    this.#networks = networks.map((text) => ipaddr.parseCIDR(text))
    this.#resolve = resolve
  }

  /** @returns why this address is not called, in words for its owner; null for one that may be tried */
  findFault(address: string): string | null {
    const url = URL.canParse(address) ? new URL(address) : null
    if (!url || !['http:', 'https:'].includes(url.protocol)) return 'an http or https address'
    if (url.username || url.password) return 'an address without user name and password'
    if (!this.#origins.some((origin) => fits(url, origin))) return 'an address that BUSBAR_WEBHOOK_ALLOW names'
    const host = url.hostname.replace(/^\[|\]$/g, '')
    return isIP(host) !== 0 && !this.#mayReach(host) ? 'a public address, or one of BUSBAR_WEBHOOK_NETWORKS' : null
  }

  /** For the connection of a request. All that a name resolves to has to be reachable: a mixed answer is a trick. */
  readonly lookup: LookupFunction = (hostname, { all }, callback) => {
    this.#resolve(hostname, { all: true }, (cause, addresses) => {
      if (cause) return callback(cause, [])
      const refused = addresses.find(({ address }) => !this.#mayReach(address))
      const [first] = addresses
      if (refused || !first)
        return callback(new EgressError(`${hostname} resolves to an address that is not public`), [])
      if (all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }

  #mayReach(text: string): boolean {
    // Also of an IPv4 address that is written as IPv6.
    const address = ipaddr.process(text)
    if (this.#networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))) {
      return true
    }
    return address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(globalUnicast))
  }
}

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number]
const globalUnicast = ipaddr.parseCIDR('2000::/3')

interface Origin {
  protocol: string
  /** `*` is any, `*.` before a name all below it. */
  host: string
  /** '' is the scheme's own, `*` any. */
  port: string
}

/** @throws Error for a text that is none; configuration is checked before */
function parseOrigin(text: string): Origin {
  const [, scheme = '', host = '', port = ''] = originPattern.exec(text) ?? []
  if (!scheme) throw new Error(`Not an origin: ${text}`)
  return { protocol: `${scheme.toLowerCase()}:`, host: host.toLowerCase(), port }
}

function fits({ protocol, hostname, port }: URL, origin: Origin): boolean {
  const isHost =
    origin.host === '*' ||
    origin.host === hostname ||
    (origin.host.startsWith('*.') && hostname.endsWith(origin.host.slice(1)))
  const isPort = origin.port === '*' || port === ownPort(origin)
  return protocol === origin.protocol && isHost && isPort
}

/** As `URL` writes it: '' where it is the scheme's own. */
function ownPort({ protocol, port }: Origin): string {
  return port === (protocol === 'https:' ? '443' : '80') ? '' : port
}
