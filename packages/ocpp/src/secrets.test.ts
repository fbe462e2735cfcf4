import { describe, expect, test } from 'vitest'
import { listSecrets, mapSecrets, maskTexts, redact, redactFrame, redactUrl } from './secrets.js'

const seal = (value: string) => `sealed:v1:${Buffer.from(value).toString('base64url')}`
const open = (value: string) => Buffer.from(value.slice('sealed:v1:'.length), 'base64url').toString()

const uuid = '00000000-0000-7000-8000-000000000001'

describe('what is masked', () => {
  test.each([
    ['AuthorizationKey', true],
    ['authorizationkey', true],
    ['VendorWifiPassword', true],
    ['HeartbeatInterval', false],
  ])('a 1.6 configuration key %s: %s', (key, masked) => {
    const value = masked ? '***' : 'hunter2'
    const change = { key, value: 'hunter2' }
    expect(redact('ocpp1.6', 'ChangeConfiguration', 'request', change)).toEqual({ key, value })
    const got = { configurationKey: [{ key, readonly: false, value: 'hunter2' }], unknownKey: ['x'] }
    expect(redact('ocpp1.6', 'GetConfiguration', 'response', got)).toEqual({
      ...got,
      configurationKey: [{ key, readonly: false, value }],
    })
  })

  test('a password that came as a number', () => {
    const got = { configurationKey: [{ key: 'AuthorizationKey', value: 1234 }] }
    expect(JSON.stringify(redact('ocpp1.6', 'GetConfiguration', 'response', got))).not.toContain('1234')
  })

  test('passwords among variables, whatever the case and place', () => {
    const variable = (name: string) => ({ component: { name: 'SecurityCtrlr' }, variable: { name } })
    const set = { setVariableData: [{ ...variable('basicauthPASSWORD'), attributeValue: 'hunter2' }] }
    expect(JSON.stringify(redact('ocpp2.0.1', 'SetVariables', 'request', set))).not.toContain('hunter2')
    const got = {
      getVariableResult: [
        { ...variable('VpnKey'), attributeValue: 'hunter2' },
        { ...variable('Identity'), attributeValue: 'CP1' },
      ],
    }
    const redacted = JSON.stringify(redact('ocpp2.0.1', 'GetVariables', 'response', got))
    expect(redacted).not.toContain('hunter2')
    expect(redacted).toContain('CP1')
    const report = {
      reportData: [{ ...variable('BasicAuthPassword'), variableAttribute: [{ value: 'hunter2', type: 'Actual' }] }],
    }
    expect(JSON.stringify(redact('ocpp2.0.1', 'NotifyReport', 'request', report))).not.toContain('hunter2')
  })

  test('the secrets of a network profile, its numbers included', () => {
    const profile = {
      configurationSlot: 1,
      connectionData: {
        ocppCsmsUrl: 'wss://csms.example',
        apn: { apn: 'internet', apnUserName: 'u', apnPassword: 'hunter2', simPin: 4711 },
        vpn: { server: 's', user: 'u', password: 'hunter2', key: 'hunter3', type: 'IKEv2' },
      },
    }
    const redacted = redact('ocpp2.0.1', 'SetNetworkProfile', 'request', profile)
    expect(JSON.stringify(redacted)).not.toMatch(/hunter|4711/)
    expect(redacted).toMatchObject({ connectionData: { ocppCsmsUrl: 'wss://csms.example', apn: { apn: 'internet' } } })
  })

  test('only the credentials of a URL', () => {
    const mask = (location: string) => redact('ocpp1.6', 'GetDiagnostics', 'request', { location })
    expect(mask('ftp://me:hunter2@files.example/logs?a=b@c')).toEqual({
      location: 'ftp://***@files.example/logs?a=b@c',
    })
    expect(mask('https://files.example/a@b')).toEqual({ location: 'https://files.example/a@b' })
  })

  test.each([
    [
      'https://us:er@s3.example/a?X-Amz-Date=1&X-Amz-Signature=hunter2',
      'https://***@s3.example/a?X-Amz-Date=1&X-Amz-Signature=***',
    ],
    ['https://blob.example/a?sp=r&sig=hunter%2B2#f', 'https://blob.example/a?sp=r&sig=***#f'],
    [`http://a.example/files/uploads/${uuid}/hunter2`, `http://a.example/files/uploads/${uuid}/***`],
    [`/files/firmware/${uuid}/17.hunter2/fw.bin`, `/files/firmware/${uuid}/***/fw.bin`],
  ])('credentials wherever they stand in a URL: %s', (location, masked) => {
    expect(redact('ocpp1.6', 'UpdateFirmware', 'request', { location })).toEqual({ location: masked })
    const sealed = mapSecrets('ocpp1.6', 'UpdateFirmware', 'request', { location }, seal)
    expect(JSON.stringify(sealed)).not.toContain('hunter')
    expect(mapSecrets('ocpp1.6', 'UpdateFirmware', 'request', sealed, open)).toEqual({ location })
  })

  test('in a text of any length, in time that grows with it', () => {
    const started = performance.now()
    for (const part of ['?', '&a', 'a@', '/files/a', 'token']) redactUrl(`https://${part.repeat(200_000)}`)
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  test('a key code, and no other type of token', () => {
    const event = (type: string) => ({ idToken: { idToken: '1234', type }, seqNo: 0 })
    expect(redact('ocpp2.0.1', 'TransactionEvent', 'request', event('KeyCode'))).toEqual({
      idToken: { idToken: '***', type: 'KeyCode' },
      seqNo: 0,
    })
    const card = event('ISO14443')
    expect(redact('ocpp2.0.1', 'TransactionEvent', 'request', card)).toBe(card)
    const list = { localAuthorizationList: [event('ISO14443'), event('KeyCode')] }
    expect(redact('ocpp2.0.1', 'SendLocalList', 'request', list)).toEqual({
      localAuthorizationList: [
        event('ISO14443'),
        { ...event('KeyCode'), idToken: { idToken: '***', type: 'KeyCode' } },
      ],
    })
  })

  test('nothing in a payload of the wrong shape, which stays as it is', () => {
    for (const connectionData of [null, 7, 'x', [], [null], { apn: [] }]) {
      const payload = { connectionData }
      expect(redact('ocpp2.0.1', 'SetNetworkProfile', 'request', payload)).toEqual(payload)
    }
  })
})

describe('sealing', () => {
  test.each([
    ['SetNetworkProfile', { connectionData: { apn: { apnPassword: 'hunter2', simPin: 4711 }, ocppCsmsUrl: 'ws://a' } }],
    ['GetLog', { log: { remoteLocation: 'sftp://me:hun%40ter2@files.example/x' }, requestId: 1 }],
    ['RequestStartTransaction', { idToken: { idToken: '1234', type: 'KeyCode' }, remoteStartId: 1 }],
    ['Reset', { type: 'Immediate' }],
  ])('%s opens to what was sealed', (action, payload) => {
    const before = structuredClone(payload)
    const sealed = mapSecrets('ocpp2.0.1', action, 'request', payload, seal)
    expect(payload).toEqual(before)
    expect(JSON.stringify(sealed)).not.toMatch(/hun|4711|1234/)
    expect(mapSecrets('ocpp2.0.1', action, 'request', sealed, open)).toEqual(payload)
  })
})

describe('frames', () => {
  test('a call is masked', () => {
    const frame = '[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2"}]'
    expect(redactFrame('ocpp1.6', frame)).toBe(frame.replace('hunter2', '***'))
  })

  test('a result is masked by the action it answers; without it, by every action', () => {
    const frame = '[3,"a",{"configurationKey":[{"key":"AuthorizationKey","value":"hunter2"}]}]'
    expect(redactFrame('ocpp1.6', frame, 'GetConfiguration')).toBe(frame.replace('hunter2', '***'))
    expect(redactFrame('ocpp1.6', frame)).not.toContain('hunter2')
  })

  test('a frame without secrets is the very text', () => {
    const frame = '[ 2, "a", "MeterValues", {"meterValue":[{"value":"1"}], "value": 12345678901234567890} ]'
    expect(redactFrame('ocpp1.6', frame)).toBe(frame)
  })

  test.each([
    '[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2"',
    '[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value": "hunter2',
    '[2,"a","ChangeConfiguration",{,"value":"hun\\"hunter2"}]',
    '[2,"a","GetLog",{"log":{"remoteLocation":"ftp://u:hunter2@files.example/',
    '[2,"a","FooBar",{"password":"hunter2"}]',
    `[2,"a","GetDiagnostics",{"location":"http://a.example/files/uploads/${uuid}/hunter2`,
    `[2,"a","GetDiagnostics",{"location":"http:\\/\\/a.example\\/files\\/uploads\\/${uuid}\\/hunter2"`,
    '{"idToken":"hunter2"}',
    '[2,"a","SetNetworkProfile",[{"apnPassword":"hunter2"}]]',
    '[3,"a",{"configurationKey":[{"key":"AuthorizationKey","value":"hunter2"}]',
  ])('a broken or unknown one is masked by field names: %s', (frame) => {
    for (const protocol of ['ocpp1.6', 'ocpp2.0.1'] as const) {
      expect(redactFrame(protocol, frame)).not.toContain('hunter2')
    }
  })
})

test('what a payload holds of secrets is masked in the words of whoever was sent it', () => {
  const location = 'ftp://busbar:hunter2:x@files.example/a'
  const secrets = listSecrets('ocpp1.6', 'GetDiagnostics', 'request', { location })

  expect(secrets).toEqual(['busbar:hunter2:x', 'hunter2:x'])
  expect(
    maskTexts({ description: 'no login as busbar with hunter2:x', details: [{ at: location, n: 1 }] }, secrets),
  ).toEqual({
    description: 'no login as busbar with ***',
    details: [{ at: 'ftp://***@files.example/a', n: 1 }],
  })
})
