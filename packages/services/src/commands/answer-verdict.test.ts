import { expect, test } from 'vitest'
import { toAnswerVerdict } from './answer-verdict.js'

test.each([
  ['Reset', 'Accepted', 'accepted'],
  ['Reset', 'Scheduled', 'accepted'],
  ['Reset', 'Rejected', 'rejected'],
  ['ChangeAvailability', 'Scheduled', 'accepted'],
  ['ChangeConfiguration', 'RebootRequired', 'accepted'],
  ['ChangeConfiguration', 'NotSupported', 'rejected'],
  ['UnlockConnector', 'Unlocked', 'accepted'],
  ['UnlockConnector', 'UnlockFailed', 'rejected'],
  ['ReserveNow', 'Occupied', 'rejected'],
  ['SendLocalList', 'VersionMismatch', 'rejected'],
  ['GetLog', 'AcceptedCanceled', 'accepted'],
  ['UnpublishFirmware', 'Unpublished', 'accepted'],
  ['ClearChargingProfile', 'Unknown', 'rejected'],
])('%s answered with %s is %s', (action, status, verdict) => {
  expect(toAnswerVerdict(action, { status })).toBe(verdict)
})

test('an answer without a status is one the station agreed to give', () => {
  expect(toAnswerVerdict('GetConfiguration', { unknownKey: ['a'] })).toBe('accepted')
  expect(toAnswerVerdict('GetLocalListVersion', { listVersion: 3 })).toBe('accepted')
  expect(toAnswerVerdict('GetVariables', { getVariableResult: [{ attributeStatus: 'UnknownVariable' }] })).toBe(
    'accepted',
  )
})

test('of several results the station has to agree to all', () => {
  const result = (...statuses: string[]) => ({
    setVariableResult: statuses.map((attributeStatus) => ({ attributeStatus })),
  })
  expect(toAnswerVerdict('SetVariables', result('Accepted', 'RebootRequired'))).toBe('accepted')
  expect(toAnswerVerdict('SetVariables', result('Accepted', 'UnknownVariable'))).toBe('rejected')
})
