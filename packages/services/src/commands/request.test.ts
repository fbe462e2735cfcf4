import { expect, test } from 'vitest'
import { type CommandRequest, checkPayload, hashRequest, prepareCommand } from './request.js'
import { later, now, vault } from './testing.js'

const request = (overrides: Partial<CommandRequest> = {}): CommandRequest => ({
  stationId: 'CP-1',
  action: 'Reset',
  payload: { type: 'Soft' },
  idempotencyKey: 'once',
  requestedBy: 'key-1',
  ...overrides,
})
const place = { id: 'id-1', now }

test('a request that fits becomes a queued command that expires in 45 s', () => {
  expect(prepareCommand(request(), 'ocpp1.6', vault, place)).toMatchObject({
    kind: 'ok',
    command: { id: 'id-1', status: 'queued', protocol: 'ocpp1.6', payload: { type: 'Soft' }, expiresAt: later(45) },
  })
})

test('one that waited in the log is as old as its record', () => {
  const prepared = prepareCommand(request(), 'ocpp1.6', vault, { ...place, askedAt: later(-60) })
  expect(prepared).toMatchObject({ command: { expiresAt: later(-15) } })
})

test.each([
  ['an action of another version', 'GetVariables', {}, 'NotImplemented'],
  ['an action that only stations send', 'BootNotification', {}, 'NotSupported'],
  ['a value the schema does not know', 'Reset', { type: 'Medium' }, 'PropertyConstraintViolation'],
  ['a field the schema does not know', 'Reset', { type: 'Soft', now: true }, 'FormatViolation'],
  ['a NUL character', 'DataTransfer', { vendorId: 'a\0b' }, 'PropertyConstraintViolation'],
])('%s is refused', (_, action, payload, code) => {
  expect(checkPayload('ocpp1.6', action, payload)).toMatchObject([{ code }])
})

test('omitted ids are no fault', () => {
  expect(checkPayload('ocpp2.0.1', 'GetBaseReport', { reportBase: 'FullInventory' })).toEqual([])
})

test('secrets are sealed, even those that look sealed', () => {
  const stolen = vault.seal('of another station')
  for (const value of ['0011223344556677889900112233445566778899', stolen]) {
    const prepared = prepareCommand(
      request({ action: 'ChangeConfiguration', payload: { key: 'AuthorizationKey', value } }),
      'ocpp1.6',
      vault,
      place,
    )
    if (prepared.kind !== 'ok') throw new Error('refused')
    expect(JSON.stringify(prepared.command)).not.toContain(value)
    expect(vault.open(String(prepared.command.payload.value))).toBe(value)
  }
})

test('equal requests have equal hashes, whatever the order of their fields', () => {
  const hash = (payload: object, action = 'Reset') =>
    hashRequest(request({ action, payload: { ...payload } }), 'ocpp1.6', vault)
  expect(hash({ a: 1, b: { c: 2, d: 3 } })).toBe(hash({ b: { d: 3, c: 2 }, a: 1 }))
  expect(hash({ a: 1 })).not.toBe(hash({ a: 2 }))
  const password = (value: string) => hash({ key: 'AuthorizationKey', value }, 'ChangeConfiguration')
  expect(password('a'.repeat(16))).toBe(password('a'.repeat(16)))
  expect(password('a'.repeat(16))).not.toBe(password('b'.repeat(16)))
})

test('a secret that was copied from where secrets are masked is refused', () => {
  const check = (value: string) => checkPayload('ocpp1.6', 'ChangeConfiguration', { key: 'AuthorizationKey', value })
  expect(check('***')).toMatchObject([{ message: expect.stringContaining('masked') }])
  expect(check('0011223344556677')).toEqual([])
  expect(checkPayload('ocpp1.6', 'ChangeConfiguration', { key: 'MeterType', value: '***' })).toEqual([])
})

test('a wish with an identity is known by it, whatever its payload became', () => {
  const hash = (identity: object, payload: object) =>
    hashRequest(request({ identity: { ...identity }, payload: { ...payload } }), 'ocpp1.6', vault)
  const wish = { path: 'diagnostics', body: { location: 'ftp://me:hunter2@a' } }

  expect(hash(wish, { location: 'one' })).toBe(hash({ body: wish.body, path: wish.path }, { location: 'two' }))
  expect(hash(wish, { location: 'one' })).not.toBe(hash({ ...wish, body: {} }, { location: 'one' }))
})
