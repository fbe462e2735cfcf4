import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { createWebhookSecret, signedHeaders } from './signature.js'

const message = { id: 'event-1', at: new Date(), body: Buffer.from('{"data":"ü"}') }

test('a receiver with the library of the standard accepts it, and nothing that was changed', () => {
  const secret = createWebhookSecret()
  const headers = signedHeaders(message, [secret])
  const receiver = new Webhook(secret)

  expect(receiver.verify(message.body, headers)).toEqual({ data: 'ü' })
  expect(() => receiver.verify('{"data":"u"}', headers)).toThrow()
  expect(() => receiver.verify(message.body, { ...headers, 'webhook-id': 'event-2' })).toThrow()
  expect(() => new Webhook(createWebhookSecret()).verify(message.body, headers)).toThrow()
})

test('while a secret is changed, receivers with the old one and with the new one accept it', () => {
  const [old, current] = [createWebhookSecret(), createWebhookSecret()]
  const headers = signedHeaders(message, [current, old])

  for (const secret of [old, current]) expect(new Webhook(secret).verify(message.body, headers)).toBeDefined()
  expect(() => new Webhook(old).verify(message.body, signedHeaders(message, [current]))).toThrow()
})
