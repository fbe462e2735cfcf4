import { expect, test } from 'vitest'
import { Vault } from './vault.js'

const vault = new Vault('a master secret of this test')
const other = new Vault('another master secret')

test('a sealed secret opens with the same master secret only', () => {
  const sealed = vault.seal('pass·word')

  expect(sealed).toMatch(/^sealed:v1:[\w-]+$/)
  expect(sealed).not.toContain('pass')
  expect(vault.open(sealed)).toBe('pass·word')
  expect(new Vault('a master secret of this test').open(sealed)).toBe('pass·word')
  expect(() => other.open(sealed)).toThrow(/does not open/)
})

test('the same secret is sealed differently each time', () => {
  expect(vault.seal('x')).not.toBe(vault.seal('x'))
})

test('a sealed secret that was changed or cut does not open', () => {
  const sealed = vault.seal('secret')
  const changed = `${sealed.slice(0, -3)}${sealed.endsWith('AAA') ? 'BBB' : 'AAA'}`

  expect(() => vault.open(changed)).toThrow(/does not open/)
  expect(() => vault.open('sealed:v1:abc')).toThrow(/cut short/)
  expect(() => vault.open('secret')).toThrow(/Not a sealed value/)
})

test('knows what is sealed', () => {
  expect([vault.seal(''), 'sealed', ''].map((text) => vault.isSealed(text))).toEqual([true, false, false])
})

test.each([
  ['keyed', async (password: string | Buffer) => vault.hashPassword(password)],
  ['scrypt', (password: string | Buffer) => vault.hashForeignPassword(password)],
])('a %s hash verifies its password alone', async (_, hashOf) => {
  const hash = await hashOf('correct horse')

  expect(await vault.verifyPassword(Buffer.from('correct horse'), hash)).toBe(true)
  for (const wrong of ['correct hors', 'correct horse ', 'Correct horse', '']) {
    expect(await vault.verifyPassword(Buffer.from(wrong), hash)).toBe(false)
  }
})

test.each([
  ['keyed', async (password: string | Buffer) => vault.hashPassword(password)],
  ['scrypt', (password: string | Buffer) => vault.hashForeignPassword(password)],
])('an AuthorizationKey verifies as bytes and as hex, whichever was set (%s)', async (_, hashOf) => {
  const key = vault.generatePassword()
  const forms = [Buffer.from(key, 'hex'), Buffer.from(key), Buffer.from(key.toUpperCase())]

  for (const set of forms) {
    const hash = await hashOf(set)
    for (const sent of forms) expect(await vault.verifyPassword(sent, hash)).toBe(true)
    expect(await vault.verifyPassword(Buffer.alloc(20), hash)).toBe(false)
  }
})

test('a password verifies with the master secret it was hashed under', async () => {
  expect(await other.verifyPassword(Buffer.from('x'), vault.hashPassword('x'))).toBe(false)
})

test('an unknown or broken hash verifies nothing', async () => {
  for (const hash of ['', 'x', 'hmac:v1:', 'scrypt:', 'scrypt:16384:8:1', 'plain:x']) {
    expect(await vault.verifyPassword(Buffer.from('x'), hash)).toBe(false)
  }
})

test('a made password is legal in both versions and new each time', () => {
  const passwords = Array.from({ length: 100 }, () => vault.generatePassword())

  expect(new Set(passwords).size).toBe(100)
  for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{40}$/)
})

test('scrypt leaves the event loop free, and many at once are all answered', async () => {
  const hash = await vault.hashForeignPassword('x')
  const verified = Array.from({ length: 6 }, () => vault.verifyPassword(Buffer.from('x'), hash))
  const startedAt = performance.now()
  await new Promise(setImmediate)

  expect(performance.now() - startedAt).toBeLessThan(25)
  expect(await Promise.all(verified)).toEqual(Array(6).fill(true))
})

test('a signature holds for its text and its master secret alone', () => {
  const signature = new Vault('one').sign('/files/a')

  expect(new Vault('one').isSigned('/files/a', signature)).toBe(true)
  expect(new Vault('one').isSigned('/files/b', signature)).toBe(false)
  expect(new Vault('another').isSigned('/files/a', signature)).toBe(false)
  expect(new Vault('one').isSigned('/files/a', '')).toBe(false)
  expect(new Vault('one').isSigned('/files/a', `${signature}=`)).toBe(false)
})
