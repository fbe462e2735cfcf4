import { expect, test } from 'vitest'
import { parseBasic } from './basic.js'

const basic = (bytes: Buffer | string) => `Basic ${Buffer.from(bytes).toString('base64')}`

test('splits at the first colon', () => {
  expect(parseBasic(basic('CP1:a:b'))).toEqual({ username: Buffer.from('CP1'), password: Buffer.from('a:b') })
})

test('keeps a binary password', () => {
  const password = Buffer.from('0001020304050607ffffffff3a3acccccccccccc', 'hex')

  expect(parseBasic(basic(Buffer.concat([Buffer.from('AL1000:'), password])))?.password).toEqual(password)
})

test('an empty password is one', () => {
  expect(parseBasic(basic('CP1:'))?.password).toEqual(Buffer.alloc(0))
})

test.each([undefined, '', 'Basic', 'Bearer abc', basic('no colon'), 'Basic ?? '])('refuses %s', (header) => {
  expect(parseBasic(header)).toBeNull()
})
