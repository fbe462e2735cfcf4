import { expect, test } from 'vitest'
import { parseStationPath } from './path.js'

test.each([
  ['/CP1', 'CP1'],
  ['//CP1', 'CP1'],
  ['/ocpp/1.6/tenant/CP1', 'CP1'],
  ['/ocpp/RDAM%20123', 'RDAM 123'],
  ['/ocpp/CP1?token=x/y', 'CP1'],
  ['ws://csms.example.com:9000/ocpp/CP1', 'CP1'],
  [`/ocpp/${'x'.repeat(48)}`, 'x'.repeat(48)],
  ['/ocpp/DE*ABC*E1_-.~#', 'DE*ABC*E1_-.~'],
])('reads the id of %s', (target, id) => {
  expect(parseStationPath(target)).toBe(id)
})

test.each([
  ['no path', 'ws://CP1'],
  ['no slash', 'CP1'],
  ['an empty id', '/ocpp/'],
  ['a colon, which parts user name and password', '/ocpp/CP:1'],
  ['an encoded slash', '/ocpp/a%2fb'],
  ['a slash encoded twice', '/ocpp/a%252fb'],
  ['a backslash', '/ocpp/a%5cb'],
  ['NUL', '/ocpp/CP%00'],
  ['a line feed', '/ocpp/CP%0aX'],
  ['the parent folder', '/ocpp/..'],
  ['the encoded parent folder', '/ocpp/%2e%2e'],
  ['a letter beyond ASCII', '/ocpp/CP%C3%A9'],
  ['a fullwidth twin', '/ocpp/%EF%BC%A3P1'],
  ['broken encoding', '/ocpp/%E0%A4%A'],
  ['DEL', '/ocpp/CP%7f'],
  ['49 characters', `/ocpp/${'x'.repeat(49)}`],
])('refuses %s', (_what, target) => {
  expect(parseStationPath(target)).toBeNull()
})
