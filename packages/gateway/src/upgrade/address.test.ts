import { expect, test } from 'vitest'
import { TrustedProxies } from './address.js'

test('X-Forwarded-For of a stranger counts for nothing', () => {
  expect(new TrustedProxies([]).clientAddress('203.0.113.9', '10.1.1.1')).toBe('203.0.113.9')
})

test('behind proxies the last foreign hop is the caller', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '::1'])

  expect(proxies.clientAddress('10.0.0.2', '1.2.3.4, 198.51.100.7, 10.0.0.1')).toBe('198.51.100.7')
  expect(proxies.clientAddress('::1', '2001:db8::7')).toBe('2001:db8::7')
})

test('garbage in the header ends the search', () => {
  expect(new TrustedProxies(['10.0.0.1']).clientAddress('::ffff:10.0.0.1', '<script>')).toBe('10.0.0.1')
  expect(new TrustedProxies(['10.0.0.1']).clientAddress('10.0.0.1', undefined)).toBe('10.0.0.1')
})

test('a range that is none is named', () => {
  expect(() => new TrustedProxies(['10.0.0.0/33'])).toThrow('10.0.0.0/33')
  expect(() => new TrustedProxies(['proxy.local'])).toThrow('proxy.local')
})
