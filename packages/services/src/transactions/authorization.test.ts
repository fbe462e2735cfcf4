import { describe, expect, test } from 'vitest'
import { acceptedToken, authorize16, authorize201, chargingState, decide, idToken, token } from './testing.js'

const now = new Date('2026-03-01T10:00:00Z')
const status16 = (tokens: (typeof acceptedToken)[], idTag = 'ABCD1234') =>
  decide(chargingState({ tokens }), authorize16(idTag), { now }).result.idTagInfo
const status201 = (tokens: (typeof acceptedToken)[], presented: object) =>
  decide(chargingState({ tokens }), authorize201({ idToken: presented }), { now }).result.idTokenInfo

describe('1.6', () => {
  test('TC_023_1: an unknown idTag is Invalid', () => {
    expect(status16([])).toEqual({ status: 'Invalid' })
  })

  test('TC_023_2: an expired idTag is Expired, and its date passed on', () => {
    const expiresAt = new Date('2026-03-01T10:00:00Z')
    expect(status16([token({ expiresAt })])).toEqual({ status: 'Expired', expiryDate: '2026-03-01T10:00:00.000Z' })
  })

  test('TC_023_3: a blocked idTag is Blocked, whether expired or not', () => {
    const expiresAt = new Date('2020-01-01T00:00:00Z')
    expect(status16([token({ status: 'blocked', expiresAt })])).toMatchObject({ status: 'Blocked' })
  })

  test('the parent is given wherever it is known, also with a refusal', () => {
    expect(status16([token({ groupId: 'FLEET' })])).toEqual({ status: 'Accepted', parentIdTag: 'FLEET' })
    expect(status16([token({ groupId: 'FLEET', status: 'blocked' })])).toEqual({
      status: 'Blocked',
      parentIdTag: 'FLEET',
    })
  })

  test('a parent too long for 1.6 is left out, because it would spoil the answer', () => {
    expect(status16([token({ groupId: 'A-GROUP-OF-MORE-THAN-20' })])).toEqual({ status: 'Accepted' })
  })

  test('values are compared without case', () => {
    expect(status16([acceptedToken], 'abCD1234')).toEqual({ status: 'Accepted' })
  })

  test('an idTag may be of any type, and of several the same one always wins', () => {
    const card = token({ type: 'ISO14443', groupId: 'CARDS' })
    const code = token({ type: 'KeyCode', status: 'blocked', groupId: 'CODES' })
    expect(status16([token({ type: 'eMAID' })])).toEqual({ status: 'Accepted' })
    expect(status16([code, card])).toEqual({ status: 'Accepted', parentIdTag: 'CARDS' })
    expect(status16([card, code])).toEqual({ status: 'Accepted', parentIdTag: 'CARDS' })
    expect(status16([token({ type: 'NoAuthorization' })])).toEqual({ status: 'Invalid' })
  })

  test('Authorize does not count transactions', () => {
    const limited = token({ maxTransactions: 0 })
    expect(status16([limited])).toEqual({ status: 'Accepted' })
  })
})

describe('2.0.1', () => {
  test('TC_C_02: an unknown token is Unknown, and so is a known value of another type', () => {
    expect(status201([], idToken('ABCD1234'))).toEqual({ status: 'Unknown' })
    expect(status201([acceptedToken], idToken('ABCD1234', 'ISO15693'))).toEqual({ status: 'Unknown' })
  })

  test('UC-C04: a wrong key code is Invalid', () => {
    expect(status201([], idToken('1234', 'KeyCode'))).toEqual({ status: 'Invalid' })
    expect(status201([token({ value: '1234', type: 'KeyCode' })], idToken('1234', 'KeyCode'))).toEqual({
      status: 'Accepted',
    })
  })

  test('TC_C_06, TC_C_07: blocked and expired', () => {
    expect(status201([token({ status: 'blocked' })], idToken('abcd1234'))).toEqual({ status: 'Blocked' })
    const expiresAt = new Date('2026-02-01T00:00:00Z')
    expect(status201([token({ expiresAt })], idToken('ABCD1234'))).toEqual({
      status: 'Expired',
      cacheExpiryDateTime: '2026-02-01T00:00:00.000Z',
    })
  })

  test('UC-C02: NoAuthorization is accepted without a token', () => {
    expect(status201([], idToken('', 'NoAuthorization'))).toEqual({ status: 'Accepted' })
  })

  test('TC_C_47: a master pass is accepted with its group', () => {
    expect(status201([token({ groupId: 'MASTER', masterPass: true })], idToken('ABCD1234'))).toEqual({
      status: 'Accepted',
      groupIdToken: { idToken: 'MASTER', type: 'Central' },
    })
  })

  test('the language of the driver is told', () => {
    expect(status201([token({ language: 'de' })], idToken('ABCD1234'))).toEqual({ status: 'Accepted', language1: 'de' })
  })

  test('a contract certificate nobody checked is refused, not accepted', () => {
    const tokens = [token({ value: 'DE-ABC-1', type: 'eMAID' })]
    const request = { idToken: idToken('DE-ABC-1', 'eMAID'), certificate: '-----BEGIN CERTIFICATE-----' }
    expect(decide(chargingState({ tokens }), authorize201(request)).result).toEqual({
      idTokenInfo: { status: 'Invalid' },
      certificateStatus: 'NoCertificateAvailable',
    })
  })
})
