import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, exportSPKI, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { Issuer } from '../../../test/support/issuer.js'
import type { OidcConfig } from './oidc.js'
import { startTestApi, type TestApi } from './testing.js'

const issuer = new Issuer()
let api: TestApi

const oidc = (rest: Partial<OidcConfig> = {}): OidcConfig => ({
  issuer: issuer.url,
  audience: 'busbar',
  roleClaim: 'roles',
  roles: null,
  algorithms: ['RS256', 'ES256'],
  clockToleranceSeconds: 5,
  keysCooldownMs: 0,
  ...rest,
})

beforeAll(async () => {
  await issuer.listen()
  await issuer.addKey('first')
  api = await startTestApi({ config: { oidc: oidc(), failuresPerMinutePerAddress: 10_000 } })
})
beforeEach(() => {
  issuer.answer = 'well'
  issuer.discovery = (own) => own
})
afterAll(async () => {
  await api.stop()
  issuer.stop()
})

const ask = (token: string, url = '/v1/sites', at = api) =>
  at.app.inject({ url, headers: { authorization: `Bearer ${token}` } })
const status = async (token: string, url?: string, at?: TestApi) => (await ask(token, url, at)).statusCode
const seconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow

test('an access token opens what its roles open, several roles together', async () => {
  expect(await status(await issuer.token({ roles: ['viewer'] }))).toBe(200)
  expect(await status(await issuer.token({ roles: ['viewer'] }), '/v1/audit')).toBe(403)
  expect(await status(await issuer.token({ roles: ['operator', 'auditor'] }), '/v1/audit')).toBe(200)
  expect(await status(await issuer.token({ roles: ['root', 'constructor'] }))).toBe(403)
  expect(await status(await issuer.token({ roles: null as unknown as string }))).toBe(403)
  expect(await status(api.keys.viewer)).toBe(200)
})

test('what a token may not be', async () => {
  const stranger = new Issuer()
  await stranger.addKey('first')
  const [key] = issuer.keys
  if (!key) throw new Error('no key')
  const good = await issuer.token()
  const [head = '', body = '', signature = ''] = good.split('.')
  const raised = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), roles: ['admin'] }),
  ).toString('base64url')
  const foreignKey = stranger.keys[0]?.privateKey
  if (!foreignKey) throw new Error('no key')
  const claims = { iss: issuer.url, aud: 'busbar', sub: 'ann', roles: ['admin'], exp: seconds(300) }
  const bad: Record<string, string> = {
    expired: await issuer.token({ exp: seconds(-10) }),
    'not yet good': await issuer.token({ nbf: seconds(60) }),
    'without an end': await issuer.token({ exp: null as unknown as number }),
    'for somebody else': await issuer.token({ aud: 'another-service' }),
    'for nobody': await issuer.token({ aud: null as unknown as string }),
    'of another issuer': await issuer.token({ iss: 'https://evil.example' }),
    'of nobody': await issuer.token({ sub: null as unknown as string }),
    'with a subject that is no text': await issuer.token({ sub: '' }),
    'signed by nobody': issuer.unsigned(),
    'its signature cut off': `${head}.${body}.`,
    'its content changed': `${head}.${raised}.${signature}`,
    'signed by a stranger under a known key id': await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'first' })
      .sign(foreignKey),
    'with a key of its own in its header': await new SignJWT(claims)
      .setProtectedHeader({
        alg: 'ES256',
        kid: 'first',
        jwk: await exportJWK(stranger.keys[0]?.publicKey as CryptoKey),
      })
      .sign(foreignKey),
    // The public key taken for a shared secret: whoever knows it, everybody, could sign.
    'HS256 with the public key, as PEM': await issuer.signedWith(Buffer.from(await exportSPKI(key.publicKey)), 'first'),
    'HS256 with the public key, as JWK': await issuer.signedWith(
      Buffer.from(JSON.stringify(await exportJWK(key.publicKey))),
      'first',
    ),
    'no token at all': 'a.b.c',
  }
  for (const [what, token] of Object.entries(bad)) expect(await status(token), what).toBe(401)
  expect(await status(good)).toBe(200)
})

test('a clock that is a little off is borne', async () => {
  expect(await status(await issuer.token({ exp: seconds(-2) }))).toBe(200)
  expect(await status(await issuer.token({ nbf: seconds(3) }))).toBe(200)
})

test('an algorithm that the operator did not allow is refused, however good the signature', async () => {
  await issuer.addKey('other-algorithm', 'PS256')

  expect(await status(await issuer.token({}, 'other-algorithm'))).toBe(401)
})

test('keys are fetched once, a rotation is followed at once, a withdrawn key opens nothing', async () => {
  await status(await issuer.token())
  const before = issuer.requests.length
  for (let count = 0; count < 5; count += 1) expect(await status(await issuer.token())).toBe(200)
  expect(issuer.requests.length).toBe(before)

  const old = await issuer.token({}, 'first')
  await issuer.addKey('second', 'RS256')
  issuer.keys = issuer.keys.filter(({ kid }) => kid === 'second')

  expect(await status(await issuer.token({}, 'second'))).toBe(200)
  expect(issuer.requests.slice(before)).toEqual(['/keys'])
  expect(await status(old)).toBe(401)
})

test('key ids made up by a caller do not make the API ask the issuer again and again', async () => {
  const calm = await startTestApi({ config: { oidc: oidc({ keysCooldownMs: 60_000 }) } })
  expect(await status(await issuer.token(), undefined, calm)).toBe(200)
  const before = issuer.requests.length
  const stranger = new Issuer()
  for (const kid of ['x', 'y', 'z']) {
    await stranger.addKey(kid)
    const key = stranger.keys.at(-1)?.privateKey as CryptoKey
    const forged = await new SignJWT({ iss: issuer.url, aud: 'busbar', sub: 'ann', exp: seconds(300) })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(key)
    expect(await status(forged, undefined, calm)).toBe(401)
  }
  expect(issuer.requests.length).toBe(before)
  await calm.stop()
})

type Trouble = Partial<Pick<Issuer, 'answer' | 'discovery'>>
const elsewhere = () => `${issuer.url.replace('127.0.0.1', 'localhost')}/keys`

test.each<[string, Trouble]>([
  ['an issuer that fails', { answer: 'fault' }],
  ['an issuer that sends us elsewhere', { answer: 'redirect' }],
  ['an issuer of another name', { discovery: (own) => ({ ...own, issuer: 'https://evil.example' }) }],
  ['keys in the clear at another origin', { discovery: (own) => ({ ...own, jwks_uri: elsewhere() }) }],
])('%s: 503, no request elsewhere, and API keys go on', async (_, trouble) => {
  const apart = await startTestApi({ config: { oidc: oidc() } })
  const token = await issuer.token()
  Object.assign(issuer, trouble)
  const before = issuer.requests.length

  const answer = await ask(token, '/v1/sites', apart)

  expect(answer.statusCode).toBe(503)
  expect(answer.headers['retry-after']).toBe('5')
  expect(issuer.requests.slice(before)).toEqual(['/.well-known/openid-configuration'])
  expect(await status(apart.keys.viewer, undefined, apart)).toBe(200)
  await apart.stop()
})

test('keys at another host over TLS are taken, and nobody is followed from there', async () => {
  issuer.discovery = (own) => ({ ...own, jwks_uri: 'https://keys.example/keys' })
  const real = globalThis.fetch
  const asked: string[] = []
  const onWire = vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
    asked.push(String(input))
    return real(String(input).replace('https://keys.example', issuer.url), init)
  })
  const apart = await startTestApi({ config: { oidc: oidc() } })
  const discovery = `${issuer.url}/.well-known/openid-configuration`

  expect(await status(await issuer.token(), undefined, apart)).toBe(200)
  expect(asked).toEqual([discovery, 'https://keys.example/keys'])

  const stranger = new Issuer()
  await stranger.addKey('not known yet')
  const key = stranger.keys[0]?.privateKey as CryptoKey
  const claims = { iss: issuer.url, aud: 'busbar', sub: 'ann', exp: seconds(300) }
  const other = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'not known yet' }).sign(key)
  issuer.answer = 'redirect'
  const before = issuer.requests.length
  expect(await status(other, undefined, apart)).toBe(503)
  expect(issuer.requests.slice(before)).toEqual(['/keys'])

  onWire.mockRestore()
  await apart.stop()
})

test('roles may lie deeper and be called otherwise there', async () => {
  const mapped = await startTestApi({
    config: {
      oidc: oidc({ roleClaim: 'realm_access.roles', roles: { 'fleet-desk': 'operator', 'fleet-eyes': 'viewer' } }),
    },
  })
  const opens = async (claims: JWTPayload, url?: string) => status(await issuer.token(claims), url, mapped)

  expect(await opens({ realm_access: { roles: ['fleet-eyes', 'offline_access'] } })).toBe(200)
  expect(await opens({ realm_access: { roles: ['admin'] } })).toBe(403)
  expect(await opens({ roles: ['admin'] })).toBe(403)
  await mapped.stop()
})

test('the audit log names the subject: one entry for a token, and what was done with it', async () => {
  const token = await issuer.token({ sub: 'f81d4fae', name: 'Ann/Admin <b>', roles: ['operator'] })
  for (let count = 0; count < 3; count += 1) await ask(token)
  await api.app.inject({
    method: 'POST',
    url: '/v1/sites',
    headers: { authorization: `Bearer ${token}` },
    payload: { name: 'Depot' },
  })

  const { items } = (await api.request('auditor', { url: '/v1/audit?limit=2' })).json()
  expect(items).toMatchObject([
    { action: 'site.create', actor: 'AnnAdmin b/oidc:f81d4fae' },
    {
      action: 'login.oidc',
      actor: 'AnnAdmin b/oidc:f81d4fae',
      details: { subject: 'oidc:f81d4fae', roles: ['operator'] },
    },
  ])
  expect(JSON.stringify(items)).not.toContain(token)
})

test('a stream of events ends with the token that opened it', async () => {
  const short = await startTestApi({ config: { oidc: oidc({ clockToleranceSeconds: 0 }), eventHeartbeatMs: 20 } })
  await short.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = short.app.server.address() as AddressInfo
  const token = await issuer.token({ exp: seconds(2) })
  const response = await fetch(`http://127.0.0.1:${port}/v1/events`, { headers: { authorization: `Bearer ${token}` } })
  expect(response.status).toBe(200)

  const text = await response.text()

  expect(text).toContain('welcome')
  await short.stop()
})
