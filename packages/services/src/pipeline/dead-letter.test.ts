import { expect, test } from 'vitest'
import { deadLetterStatement } from './dead-letter.js'
import { loggedCall } from './testing.js'

const secret = 'c0ffee00c0ffee00c0ffee00'
const textsOf = (...[record, cause]: [Parameters<typeof deadLetterStatement>[1], unknown]) =>
  deadLetterStatement('stations', record, cause, new Date()).values.map(String).join('\n')

test('a secret of the frame stands neither in the bytes nor in the error', () => {
  const [component, variable] = [{ name: 'SecurityCtrlr' }, { name: 'BasicAuthPassword' }]
  const reportData = [{ component, variable, variableAttribute: [{ value: secret }] }]
  const record = loggedCall('NotifyReport', { requestId: 1, seqNo: 0, generatedAt: '2026-01-01T00:00:00Z', reportData })

  const texts = textsOf(record, new Error(`cannot read ${secret}`))

  expect(texts).not.toContain(secret)
  expect(texts).toContain('cannot read ***')
})

test('what the reader of JSON quotes of a broken text is left out', () => {
  const record = { ...loggedCall('Heartbeat', {}), headers: {}, value: Buffer.from(`{"value":${secret}}`) }
  let cause: unknown
  try {
    JSON.parse(record.value.toString())
  } catch (thrown) {
    cause = thrown
  }

  const error = deadLetterStatement('commands', record, cause, new Date()).values[8]

  expect(String(cause)).toContain(secret.slice(0, 6))
  expect(error).toMatch(/^SyntaxError: Unexpected token 'c' is not valid JSON\n/)
})
