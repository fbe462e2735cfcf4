import { expect, test } from 'vitest'
import { repairInbound } from './repair.js'

const repairAnswer = (protocol: 'ocpp1.6', action: string, answer: unknown) =>
  repairInbound(protocol, action, 'response', answer)

const key = (name: string, rest: object) => ({ key: name, readonly: false, ...rest })

test('an answer that fits its schema stays as it is', () => {
  const payload = { status: 'Accepted' }

  expect(repairAnswer('ocpp1.6', 'Reset', payload)).toEqual({ payload, quirks: [], violation: null })
})

test.each([
  ['a status in another letter case', 'Reset', { status: 'accepted ' }, { status: 'Accepted' }, 'field-value'],
  ['a property nobody knows', 'Reset', { status: 'Accepted', x: 1 }, { status: 'Accepted' }, 'field-unknown'],
  ['null for what is left out', 'GetDiagnostics', { fileName: null }, {}, 'field-type'],
  ['null for an empty payload', 'GetConfiguration', null, {}, 'field-type'],
  [
    'configuration values as numbers and truth values',
    'GetConfiguration',
    { configurationKey: [key('A', { value: 60 }), key('B', { value: true }), key('C', { value: 'c' })] },
    { configurationKey: [key('A', { value: '60' }), key('B', { value: 'true' }), key('C', { value: 'c' })] },
    'field-type',
  ],
  [
    'truth values as text',
    'GetConfiguration',
    { configurationKey: [{ key: 'A', readonly: 'True', value: '1' }] },
    { configurationKey: [{ key: 'A', readonly: true, value: '1' }] },
    'field-type',
  ],
  ['a number as text', 'GetLocalListVersion', { listVersion: '7' }, { listVersion: 7 }, 'field-type'],
])('%s is read as it was meant', (_, action, answer, payload, kind) => {
  expect(repairAnswer('ocpp1.6', action, answer)).toEqual({ payload, quirks: [kind], violation: null })
})

test('a text that is too long stays whole', () => {
  const name = 'k'.repeat(60)
  const answer = { configurationKey: [key(name, { value: 'a' }), key(`${name}2`, { value: 'b' })] }

  expect(repairAnswer('ocpp1.6', 'GetConfiguration', answer)).toEqual({
    payload: answer,
    quirks: ['text-too-long'],
    violation: null,
  })
})

test.each([
  ['Reset', { status: 'OK' }],
  ['Reset', {}],
  ['Reset', { status: { deep: true } }],
  ['Reset', []],
  ['GetLocalListVersion', { listVersion: 'many' }],
])('what nobody can understand is told: %s %j', (action, answer) => {
  expect(repairAnswer('ocpp1.6', action, answer).violation).not.toBeNull()
})

test('what was sent stays as it was', () => {
  const answer = Object.freeze({ status: 'accepted' })

  repairAnswer('ocpp1.6', 'Reset', answer)
  expect(answer).toEqual({ status: 'accepted' })
})

test('an answer that is wrong in a hundred thousand places is read in one go', () => {
  const configurationKey = Array.from({ length: 100_000 }, (_, index) => key(`K${index}`, { value: index }))
  const startedAt = performance.now()

  const { payload, violation } = repairAnswer('ocpp1.6', 'GetConfiguration', { configurationKey })

  expect(violation).toBeNull()
  expect((payload.configurationKey as { value: string }[]).at(-1)?.value).toBe('99999')
  expect(performance.now() - startedAt).toBeLessThan(5_000)
})

test('only what may be repaired is', () => {
  const boot = { chargePointVendor: 'V', chargePointModel: 'm'.repeat(30) }
  const repair = (payload: object) =>
    repairInbound('ocpp1.6', 'BootNotification', 'request', payload, ['text-too-long'])

  expect(repair(boot)).toEqual({ payload: boot, quirks: ['text-too-long'], violation: null })
  expect(repair({ ...boot, extra: 1 }).violation).toMatchObject({ code: 'FormatViolation' })
})
