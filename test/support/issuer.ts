import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'

/** An OpenID Connect issuer as far as a resource server sees one: discovery, keys, tokens. */
export class Issuer {
  readonly #server: Server
  readonly requests: string[] = []
  keys: { kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey }[] = []
  discovery: (own: object) => object = (own) => own
  answer: 'well' | 'redirect' | 'fault' = 'well'

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(request.url ?? '')
      if (this.answer === 'fault') return response.writeHead(500).end()
      if (this.answer === 'redirect') return response.writeHead(302, { location: `${this.url}/elsewhere` }).end()
      void this.#body(request.url ?? '').then((body) => response.end(JSON.stringify(body)))
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async addKey(kid: string, alg = 'ES256'): Promise<void> {
    this.keys.push({ kid, alg, ...(await generateKeyPair(alg, { extractable: true })) })
  }

  token(claims: JWTPayload = {}, kid = this.keys[0]?.kid ?? ''): Promise<string> {
    const key = this.keys.find((each) => each.kid === kid)
    if (!key) throw new Error(`no key ${kid}`)
    return this.#signed(claims).setProtectedHeader({ alg: key.alg, kid }).sign(key.privateKey)
  }

  signedWith(secret: Uint8Array, kid: string): Promise<string> {
    return this.#signed({}).setProtectedHeader({ alg: 'HS256', kid }).sign(secret)
  }

  unsigned(): string {
    return new UnsecuredJWT({ roles: ['admin'] })
      .setIssuer(this.url)
      .setAudience('busbar')
      .setSubject('ann')
      .setExpirationTime('5m')
      .encode()
  }

  #signed(claims: JWTPayload): SignJWT {
    const own = {
      iss: this.url,
      aud: 'busbar',
      sub: 'ann',
      roles: ['operator'],
      exp: Math.floor(Date.now() / 1000) + 300,
    }
    return new SignJWT(Object.fromEntries(Object.entries({ ...own, ...claims }).filter(([, value]) => value !== null)))
  }

  async #body(path: string): Promise<object> {
    if (path === '/.well-known/openid-configuration') {
      return this.discovery({ issuer: this.url, jwks_uri: `${this.url}/keys` })
    }
    const keys = await Promise.all(
      this.keys.map(async ({ kid, alg, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })),
    )
    return { keys }
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
