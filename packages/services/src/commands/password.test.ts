import { expect, test } from 'vitest'
import { concludePassword, proposePassword } from './password.js'
import { dispatched, outcome, vault } from './testing.js'

const password = '0011223344556677889900112233445566778899'
const hash = vault.hashPassword(password)
const payload16 = { key: 'authorizationKey', value: vault.seal(password) }
const variable = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
const payload201 = {
  setVariableData: [
    { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'HeartbeatInterval' }, attributeValue: '60' },
    { ...variable, attributeValue: vault.seal(password) },
  ],
}

const change16 = dispatched({ protocol: 'ocpp1.6', action: 'ChangeConfiguration', payload: payload16 })
const change201 = dispatched({ action: 'SetVariables', payload: payload201 })

test('a new password opens the door before the station knows it', () => {
  const expected = { kind: 'propose', stationId: 'CP-1', hash, carriedBy: `${change16.id}/0` }
  expect(proposePassword(change16, 0, vault)).toEqual(expected)
  expect(proposePassword(change201, 0, vault)).toEqual(expected)
})

test('other commands change no password', () => {
  const other = { ...change16, payload: { key: 'HeartbeatInterval', value: '60' } }
  expect(proposePassword(other, 0, vault)).toBeNull()
  expect(concludePassword(other, outcome({ kind: 'error' }), vault)).toBeNull()
})

test.each([
  ['Accepted', 'confirm'],
  ['Rejected', 'discard'],
  ['NotSupported', 'discard'],
  ['RebootRequired', undefined],
])('1.6: answered with %s: %s', (status, kind) => {
  const answer = outcome({ verdict: 'accepted', response: { status } })
  const change = concludePassword(change16, answer, vault)
  expect(change?.kind).toBe(kind)
})

test('2.0.1: the result of that variable counts, not that of its neighbours', () => {
  const setVariableResult = [
    { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'HeartbeatInterval' }, attributeStatus: 'Rejected' },
    { ...variable, attributeStatus: 'Accepted' },
  ]
  const answer = outcome({ verdict: 'rejected', response: { setVariableResult } })
  expect(concludePassword(change201, answer, vault)).toMatchObject({
    kind: 'confirm',
    hash,
  })
})

test.each([
  ['error', 'discard'],
  ['unsent', 'discard'],
  ['expired', 'discard'],
  ['timeout', undefined],
  ['lost', undefined],
  ['undeliverable', undefined],
] as const)('after "%s": %s', (kind, expected) => {
  const change = concludePassword(change16, outcome({ kind }), vault)
  expect(change?.kind).toBe(expected)
})

test('an answer nobody understands leaves both passwords valid', () => {
  const broken = outcome({ response: { status: 7 }, error: { code: 'TypeConstraintViolation', description: '' } })
  expect(concludePassword(change16, broken, vault)).toBeNull()
})
