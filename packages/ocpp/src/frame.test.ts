import { describe, expect, test } from 'vitest'
import { OcppError } from './errors.js'
import { callFrame, errorFrame, type Frame, parseFrame, resultFrame } from './frame.js'
import type { Protocol } from './protocol.js'
import { validate } from './validate.js'

const protocols: Protocol[] = ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1']

/** What the station would be told, as code and message id. */
function refusal(text: string, protocol: Protocol = 'ocpp2.0.1'): [string, string] {
  try {
    parseFrame(text, protocol)
  } catch (cause) {
    if (cause instanceof OcppError) return [cause.code, cause.messageId]
    throw cause
  }
  throw new Error('accepted')
}

function payloadOf(frame: Frame): Record<string, unknown> {
  if (frame.kind !== 'call' && frame.kind !== 'result') throw new Error(frame.kind)
  return frame.payload
}

describe('calls', () => {
  test('a call is read', () => {
    const frame = parseFrame('[2,"a","Heartbeat",{}]', 'ocpp1.6')
    expect(frame).toEqual({ kind: 'call', messageId: 'a', action: 'Heartbeat', payload: {} })
  })

  test('a payload of null is an empty one', () => {
    expect(payloadOf(parseFrame('[2,"a","Heartbeat",null]', 'ocpp2.0.1'))).toEqual({})
    expect(payloadOf(parseFrame('[3,"a",null]', 'ocpp1.6'))).toEqual({})
  })

  test('a payload that is no object is malformed, and its id is answered', () => {
    expect(refusal('[2,"a","Heartbeat",[]]')).toEqual(['FormatViolation', 'a'])
    expect(refusal('[2,"a","Heartbeat","x"]', 'ocpp1.6')).toEqual(['FormatViolation', 'a'])
  })

  test.each([
    ['[2,"a","Heartbeat"]', 'a'],
    ['[2,"a"]', 'a'],
    ['[2,"a","Heartbeat",{},{}]', 'a'],
    ['[2,"a",7,{}]', 'a'],
    ['[2,5,"Heartbeat",{}]', '-1'],
    ['[2,"","Heartbeat",{}]', '-1'],
    ['[2]', '-1'],
    ['[]', '-1'],
    ['["2","a","Heartbeat",{}]', 'a'],
    ['{"a":1}', '-1'],
    ['"text"', '-1'],
    ['null', '-1'],
  ])('%s is no valid call', (text, messageId) => {
    expect(refusal(text)).toEqual(['RpcFrameworkError', messageId])
    expect(refusal(text, 'ocpp1.6')).toEqual(['RpcFrameworkError', messageId])
  })

  test('2.0.1 refuses an id of 37 characters by that id, 1.6 lets it in', () => {
    const id = 'x'.repeat(37)
    expect(refusal(`[2,"${id}","Heartbeat",{}]`)).toEqual(['RpcFrameworkError', id])
    expect(parseFrame(`[2,"${id}","Heartbeat",{}]`, 'ocpp1.6')).toMatchObject({ messageId: id })
  })
})

describe('texts that are not JSON', () => {
  test.each([
    ['', '-1'],
    ['{', '-1'],
    ['[2,"x"', '-1'],
    ['[2,"x","MeterValues",{"transactionId":,"connectorId":1}]', 'x'],
    ['[2,"x","StatusNotification",{,"connectorId":1}]', 'x'],
    ['[2,"x","Authorize",{"idTag":"a\u0000"}]', 'x'],
  ])('%j is refused by the id it has, without quoting it', (text, messageId) => {
    expect(refusal(text)).toEqual(['RpcFrameworkError', messageId])
    expect(() => parseFrame(text, 'ocpp1.6')).toThrow(/^The message is not valid JSON$/)
  })

  test('a broken answer ends its call and is not answered', () => {
    const frame = parseFrame('[3,"x",{"configurationKey":[{"key":"a"}', 'ocpp1.6')
    expect(frame).toMatchObject({ kind: 'error', messageId: 'x', code: 'FormatViolation' })
    expect(parseFrame('[3,', 'ocpp1.6')).toMatchObject({ kind: 'ignored' })
  })

  test('32 levels are read, 33 are refused, however the brackets are spread', () => {
    const nested = (levels: number) => `[2,"x","A",${'{"a":['.repeat(levels)}${']}'.repeat(levels)}]`
    expect(parseFrame(nested(15), 'ocpp1.6')).toMatchObject({ kind: 'call' })
    expect(refusal(nested(16))).toEqual(['RpcFrameworkError', 'x'])
    expect(parseFrame(`[2,"x","A",{"a":"${'['.repeat(100)}\\"${'{'.repeat(100)}"}]`, 'ocpp1.6')).toMatchObject({
      kind: 'call',
    })
    expect(refusal(`[2,"x","A",{"a":${'['.repeat(1_000_000)}`)).toEqual(['RpcFrameworkError', 'x'])
  })
})

describe('answers', () => {
  test('a result is read, also without a payload', () => {
    expect(parseFrame('[3,"a",{"status":"Accepted"}]', 'ocpp1.6')).toEqual({
      kind: 'result',
      messageId: 'a',
      payload: { status: 'Accepted' },
    })
    expect(parseFrame('[3,"a"]', 'ocpp1.6')).toMatchObject({ kind: 'result', payload: {} })
  })

  test('a result that is no object ends its call as an error', () => {
    expect(parseFrame('[3,"a","Accepted"]', 'ocpp2.0.1')).toMatchObject({ kind: 'error', code: 'FormatViolation' })
  })

  test('a CALLERROR of four elements, or of two, is read', () => {
    expect(parseFrame('[4,"a","NotImplemented",""]', 'ocpp1.6')).toEqual({
      kind: 'error',
      messageId: 'a',
      code: 'NotImplemented',
      description: '',
      details: {},
    })
    expect(parseFrame('[4,"a"]', 'ocpp1.6')).toMatchObject({ kind: 'error', code: 'GenericError' })
  })

  test('both spellings of an error code are one', () => {
    const code = (sent: string) => parseFrame(JSON.stringify([4, 'a', sent, '', {}]), 'ocpp1.6')
    expect(code('FormationViolation')).toMatchObject({ code: 'FormatViolation' })
    expect(code('OccurenceConstraintViolation')).toMatchObject({ code: 'OccurrenceConstraintViolation' })
    expect(code('OccurrenceConstraintViolation')).toMatchObject({ code: 'OccurrenceConstraintViolation' })
  })

  test.each(['[3]', '[4]', '[3,7,{}]', '[4,null,"GenericError","",{}]'])('%s is never answered', (text) => {
    for (const protocol of protocols) expect(parseFrame(text, protocol)).toMatchObject({ kind: 'ignored' })
  })
})

describe('other message types', () => {
  test('1.6 ignores them, 2.0.1 says that it does not support them', () => {
    expect(parseFrame('[9,"a",{}]', 'ocpp1.6')).toMatchObject({ kind: 'ignored' })
    expect(refusal('[9,"a",{}]')).toEqual(['MessageTypeNotSupported', 'a'])
    expect(refusal('[9]')).toEqual(['MessageTypeNotSupported', '-1'])
  })

  test('CALLRESULTERROR and SEND exist in 2.1 only', () => {
    expect(parseFrame('[5,"a","FormatViolation","",{}]', 'ocpp2.1')).toMatchObject({ kind: 'resultError' })
    expect(parseFrame('[6,"a","NotifyPeriodicEventStream",{"id":1}]', 'ocpp2.1')).toEqual({
      kind: 'send',
      messageId: 'a',
      action: 'NotifyPeriodicEventStream',
      payload: { id: 1 },
    })
    expect(refusal('[5,"a","FormatViolation","",{}]')).toEqual(['MessageTypeNotSupported', 'a'])
    expect(refusal('[6,"a","X",{}]')).toEqual(['MessageTypeNotSupported', 'a'])
    expect(parseFrame('[5,"a","FormatViolation","",{}]', 'ocpp1.6')).toMatchObject({ kind: 'ignored' })
  })
})

describe('numbers', () => {
  test('an integer beyond 2^53 arrives as its text and is an integer to the schema', () => {
    const text =
      '[2,"a","StopTransaction",{"transactionId":9223372036854775807,"meterStop":7,"timestamp":"2026-01-01T00:00:00Z"}]'
    const payload = payloadOf(parseFrame(text, 'ocpp1.6'))
    expect(payload).toMatchObject({ transactionId: '9223372036854775807', meterStop: 7 })
    expect(validate('ocpp1.6', 'StopTransaction', 'request', payload, 'inbound')).toEqual([])
  })

  test('the text of such an integer is no integer to the schema', () => {
    const text =
      '[2,"a","StopTransaction",{"transactionId":"9223372036854775807","meterStop":7,"timestamp":"2026-01-01T00:00:00Z"}]'
    const payload = payloadOf(parseFrame(text, 'ocpp1.6'))
    expect(validate('ocpp1.6', 'StopTransaction', 'request', payload, 'inbound')).toMatchObject([
      { code: 'TypeConstraintViolation', path: '/transactionId' },
    ])
  })

  test('a reading keeps decimals a double would lose; any other number stays a number', () => {
    const payload = payloadOf(
      parseFrame('[2,"a","X",{"value":1234567890.1234567891,"limit":6.1000000000000005,"id":7}]', 'ocpp2.0.1'),
    )
    expect(payload).toEqual({ value: '1234567890.1234567891', limit: 6.1000000000000005, id: 7 })
  })

  test('digits inside of texts change nothing', () => {
    const payload = { signedMeterData: '12345678901234567890', value: 5 }
    expect(payloadOf(parseFrame(callFrame('a', 'X', payload), 'ocpp2.0.1'))).toEqual(payload)
  })
})

describe('hostile members', () => {
  test.each(['', '9007199254740993'])('__proto__ and constructor pollute nothing (lossless: %s)', (digits) => {
    const text = `[2,"a","X",{"n":${digits || 1},"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}]`
    const payload = payloadOf(parseFrame(text, 'ocpp2.0.1'))
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype)
    expect(Object.hasOwn(payload, '__proto__')).toBe(true)
  })

  test.each(['1', '9007199254740993'])('of repeated keys the last counts (%s)', (digits) => {
    expect(payloadOf(parseFrame(`[2,"a","X",{"n":${digits},"a":1,"a":2}]`, 'ocpp1.6')).a).toBe(2)
  })

  test('NUL and lone surrogates become what Postgres can store, pairs stay', () => {
    const payload = payloadOf(
      parseFrame('[2,"a","X",{"k\\u0000":"a\\u0000b","h":"\\ud800x","p":"\\ud83d\\ude00"}]', 'ocpp1.6'),
    )
    expect(payload).toEqual({ 'k\ufffd': 'a\ufffdb', h: '\ufffdx', p: '😀' })
  })
})

describe('writing', () => {
  test('a call and a result are what parseFrame reads', () => {
    expect(parseFrame(callFrame('a', 'Reset', { type: 'Soft' }), 'ocpp1.6')).toMatchObject({
      payload: { type: 'Soft' },
    })
    expect(resultFrame('a', { status: 'Accepted' })).toBe('[3,"a",{"status":"Accepted"}]')
  })

  test('each version spells an error its way and has five elements', () => {
    const frame = (protocol: Protocol, code: OcppError['code']) =>
      JSON.parse(errorFrame(protocol, 'a', new OcppError(code, 'why')))
    expect(frame('ocpp1.6', 'FormatViolation')).toEqual([4, 'a', 'FormationViolation', 'why', {}])
    expect(frame('ocpp1.6', 'OccurrenceConstraintViolation')[2]).toBe('OccurenceConstraintViolation')
    expect(frame('ocpp1.6', 'RpcFrameworkError')[2]).toBe('FormationViolation')
    expect(frame('ocpp1.6', 'MessageTypeNotSupported')[2]).toBe('GenericError')
    expect(frame('ocpp2.0.1', 'FormatViolation')).toEqual([4, 'a', 'FormatViolation', 'why', {}])
    expect(frame('ocpp2.0.1', 'OccurrenceConstraintViolation')[2]).toBe('OccurrenceConstraintViolation')
  })

  test('a description has at most 255 characters', () => {
    const frame = JSON.parse(errorFrame('ocpp2.0.1', 'a', { code: 'GenericError', message: 'x'.repeat(300) }))
    expect(frame[3]).toHaveLength(255)
  })
})
