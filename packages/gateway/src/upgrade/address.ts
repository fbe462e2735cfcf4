import { BlockList, isIP } from 'node:net'

/** Who is allowed to say on whose behalf it calls. */
export class TrustedProxies {
  readonly #list = new BlockList()

  /**
   * @param ranges addresses, or CIDR ranges
   * @throws Error naming a range that is none
   */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = '', prefix] = range.split('/')
      const version = isIP(address)
      const bits = version === 4 ? 32 : 128
      const length = prefix === undefined ? bits : Number(prefix)
      if (version === 0 || !Number.isInteger(length) || length < 0 || length > bits) {
        throw new Error(`Not an address or CIDR range: ${range}`)
      }
      this.#list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6')
    }
  }

  has(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.#list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }

  /**
   * The caller's address: the last one in X-Forwarded-For that is not a proxy of ours. What anybody else writes into
   * that header counts for nothing.
   */
  clientAddress(remoteAddress: string | undefined, forwardedFor: string | undefined): string {
    let address = plain(remoteAddress ?? '')
    const hops = (forwardedFor ?? '').split(',').map((each) => plain(each.trim()))
    while (this.has(address)) {
      const hop = hops.pop()
      if (!hop || isIP(hop) === 0) break
      address = hop
    }
    return address
  }
}

/** An IPv4 address as it is, also where the socket speaks IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}
