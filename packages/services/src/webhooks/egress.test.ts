import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startReceiver } from '../../../../test/support/receiver.js'
import { Egress, isEgressOrigin, isNetwork, type Resolve } from './egress.js'
import { post } from './post.js'

const open = { origins: ['https://*:*', 'http://*:*'], networks: [] }
const message = { headers: {}, body: Buffer.from('{}') }

/** DNS of a test: what a name resolves to, one answer after the other. */
function resolving(...answers: string[][]): Resolve {
  let asked = 0
  return (_, __, callback) => {
    const addresses = answers[Math.min(asked++, answers.length - 1)] ?? []
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
}

let receiver: Awaited<ReturnType<typeof startReceiver>>
beforeAll(async () => {
  receiver = await startReceiver()
})
afterAll(() => receiver.stop())

/** Ways to write this machine, its neighbours and the metadata service of clouds. */
const hosts = [
  ...['127.0.0.1', '127.1', '127.0.1', '0', '0.0.0.0', '127.127.127.127', '127.0.0.1.', '2130706433', '017700000001'],
  ...['0x7f000001', '0x7f.0.0.1', '0177.0.0.1', '0x7f.1', '127.0x0.0.1', '0300.0250.0.1', '3232235521', '0xa9fea9fe'],
  ...['169.254.169.254', '2852039166', '169.254.0.1', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.254'],
  ...['192.168.0.1', '192.168.255.255', '100.64.0.1', '100.127.255.254', '192.0.0.1', '192.0.2.1', '198.18.0.1'],
  ...['198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::ffff:10.0.0.1]', '[0:0:0:0:0:ffff:7f00:0001]'],
  ...['[::127.0.0.1]', '[::7f00:1]', '[64:ff9b::7f00:1]', '[64:ff9b::10.0.0.1]', '[64:ff9b:1::7f00:1]'],
  ...['[2002:7f00:1::]', '[2002:a00:1::1]', '[2001:0:7f00:1::]', '[fe80::1]', '[fec0::1]', '[fc00::1]', '[fd00::1]'],
  ...['[fd12:3456:789a::1]', '[ff02::1]', '[ff01::1]', '[100::1]', '[2001:db8::1]', '[::ffff:0:127.0.0.1]'],
  ...[
    '[::ffff:169.254.169.254]',
    '[64:ff9b::a9fe:a9fe]',
    '①②⑦.⓪.⓪.①',
    '１２７.０.０.１',
    '127。0。0。1',
    '%31%32%37.0.0.1',
  ],
]
const texts = [
  ...['file:///etc/passwd', 'ftp://127.0.0.1/', 'gopher://127.0.0.1:70/', 'ws://127.0.0.1/', 'data:,x', 'javascript:1'],
  ...[
    '//127.0.0.1',
    'http:127.0.0.1',
    'http:/127.0.0.1',
    'http:///127.0.0.1',
    'http:\\\\127.0.0.1',
    ' http://127.0.0.1',
  ],
  ...['http://user@127.0.0.1', 'http://a:b@127.0.0.1', 'http://example.com@127.0.0.1', 'http://127.0.0.1#@example.com'],
  ...['http://127.0.0.1?@example.com', 'http://127.0.0.1\\@example.com', 'http://example.com\\@127.0.0.1', 'http://'],
  ...[
    'https://',
    'http://[::1',
    '',
    'http://\t127.0.0.1',
    'http://127.0.0.1\n',
    'unix:/var/run/docker.sock',
    'about:blank',
  ],
]
/** Names that resolve to where nobody may go, in the words of DNS. */
const named = [
  ...['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.1.2.3', '169.254.169.254', 'fd00::1', 'fe80::1', '0.0.0.0', '::'],
  ...['64:ff9b::7f00:1', '2002:7f00:1::', '100.64.1.1'],
]

test('T16: 100 ways to reach what is not public fetch nothing', async () => {
  const literal = hosts.map((host) => `http://${host}:${receiver.port}/hook`)
  const attempts = [
    ...literal.map((url) => ({ url, egress: new Egress(open) })),
    ...texts.map((url) => ({ url, egress: new Egress(open, resolving(['127.0.0.1'])) })),
    ...named.map((address) => ({
      url: `http://hooks.example.com:${receiver.port}/hook`,
      egress: new Egress(open, resolving([address])),
    })),
  ]
  expect(attempts.length).toBeGreaterThanOrEqual(100)

  const results = await Promise.all(attempts.map(({ url, egress }) => post(url, message, { egress, timeoutMs: 2_000 })))

  expect(results.filter(({ status }) => status !== null)).toEqual([])
  expect(receiver.connections()).toBe(0)
  const networkSpoke = results.filter(({ error }) => !/refused: it has to be|is not public/.test(error ?? ''))
  expect(networkSpoke).toEqual([])
})

test('a name that is judged and then resolves elsewhere is judged by where the connection goes', async () => {
  const egress = new Egress(open, resolving(['93.184.216.34'], ['127.0.0.1']))
  const url = `http://rebind.example.com:${receiver.port}/hook`
  await new Promise((resolve) => egress.lookup('rebind.example.com', { all: true }, resolve))

  expect(await post(url, message, { egress, timeoutMs: 2_000 })).toMatchObject({
    status: null,
    error: expect.stringContaining('not public'),
  })
  expect(receiver.connections()).toBe(0)
})

test('an answer of DNS that mixes public and private addresses is refused as a whole', async () => {
  const egress = new Egress(open, resolving(['93.184.216.34', '127.0.0.1']))
  const url = `http://mixed.example.com:${receiver.port}/hook`
  expect((await post(url, message, { egress, timeoutMs: 2_000 })).error).toContain('not public')
})

describe('the allow-list', () => {
  const fault = (origins: string[], url: string) => new Egress({ origins, networks: ['127.0.0.0/8'] }).findFault(url)

  test.each([
    ['https://*', 'https://hooks.example.com/a?b=c'],
    ['https://hooks.example.com', 'https://HOOKS.example.com:443/x'],
    ['https://*.example.com', 'https://a.b.example.com/'],
    ['http://hooks.internal:8080', 'http://hooks.internal:8080/'],
    ['https://*:*', 'https://hooks.example.com:8443/'],
    ['http://127.0.0.1:*', 'http://127.0.0.1:4711/'],
  ])('%s lets %s pass', (origin, url) => expect(fault([origin], url)).toBeNull())

  test.each([
    ['https://*', 'http://hooks.example.com/'],
    ['https://*', 'https://hooks.example.com:22/'],
    ['https://*.example.com', 'https://example.com/'],
    ['https://*.example.com', 'https://evilexample.com/'],
    ['https://*.example.com', 'https://hooks.example.com.evil.org/'],
    ['https://hooks.example.com', 'https://hooks.example.com@evil.org/'],
    ['http://hooks.internal:8080', 'http://hooks.internal/'],
  ])('%s refuses %s', (origin, url) => expect(fault([origin], url)).toMatch(/address/))

  test('is written as scheme, host and port, and networks as CIDR', () => {
    expect(['https://*', 'http://a.b:80', 'https://*.a:*', 'http://[::1]:8080'].every(isEgressOrigin)).toBe(true)
    expect(['*', 'a.b', 'https://', 'https://a/path', 'ftp://a', 'https://a:b'].some(isEgressOrigin)).toBe(false)
    expect(['10.0.0.0/8', 'fd00::/8'].every(isNetwork)).toBe(true)
    expect(['10.0.0.1', '10.0.0.0/33', 'lan'].some(isNetwork)).toBe(false)
  })
})

test('a private network that is named is reached, its neighbours are not', async () => {
  const egress = new Egress({ ...open, networks: ['127.0.0.1/32'] })
  expect((await post(receiver.url, message, { egress, timeoutMs: 2_000 })).status).toBe(204)
  expect(egress.findFault(`http://127.0.0.2:${receiver.port}/`)).toContain('BUSBAR_WEBHOOK_NETWORKS')
})
