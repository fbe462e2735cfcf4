import { validate } from '@busbar/ocpp'
import { expect, test } from 'vitest'
import { decidePart } from '../../pipeline/parts.js'
import { decisionContext, inboundCall } from '../../pipeline/testing.js'
import { createStationsService } from '../service.js'
import { stationsDeps } from '../testing.js'
import { ownHandlers, type VendorHandlers } from './handlers.js'
import { dataTransferPart } from './part.js'

const handlers: VendorHandlers = {
  'com.example': {
    setLedColor: ({ data }, { stationId }) => ({ status: 'Accepted', data: { stationId, was: data } }),
    '': () => ({ status: 'Rejected' }),
  },
}

function send(payload: object, protocol: 'ocpp1.6' | 'ocpp2.0.1' = 'ocpp1.6', known = handlers) {
  const record = inboundCall('DataTransfer', payload, { protocol })
  const decision = decidePart(dataTransferPart(known), record, null, decisionContext(record))
  const { result } = decision.answer as { result: object }
  expect(validate(protocol, 'DataTransfer', 'response', result, 'outbound')).toEqual([])
  return { result, events: decision.events }
}

test.each(['ocpp1.6', 'ocpp2.0.1'] as const)('%s: what nobody handles is answered as the standard says', (protocol) => {
  expect(send({ vendorId: 'org.nobody' }, protocol).result).toEqual({ status: 'UnknownVendorId' })
  expect(send({ vendorId: 'toString' }, protocol).result).toEqual({ status: 'UnknownVendorId' })
  expect(send({ vendorId: 'com.example', messageId: 'dance' }, protocol).result).toEqual({ status: 'UnknownMessageId' })
  expect(send({ vendorId: 'com.example', messageId: 'constructor' }, protocol).result).toEqual({
    status: 'UnknownMessageId',
  })
})

test('a handler answers for its vendor and message; 1.6 gets its data as text', () => {
  const message = { vendorId: 'com.example', messageId: 'setLedColor', data: 'red' }

  expect(send(message).result).toEqual({ status: 'Accepted', data: '{"stationId":"CP-1","was":"red"}' })
  expect(send(message, 'ocpp2.0.1').result).toEqual({ status: 'Accepted', data: { stationId: 'CP-1', was: 'red' } })
  expect(send({ vendorId: 'com.example' }).result).toEqual({ status: 'Rejected' })
})

test('every message is told as an event, whoever handles it', () => {
  expect(send({ vendorId: 'org.nobody', messageId: 'm', data: 'd' }).events).toEqual([
    {
      type: 'station.data-transfer',
      subject: 'vendor/org.nobody',
      data: { vendorId: 'org.nobody', messageId: 'm', data: 'd', status: 'UnknownVendorId' },
    },
  ])
})

test('an echo comes back as it was sent', () => {
  const echo = { vendorId: 'busbar', messageId: 'echo' }

  expect(send({ ...echo, data: 'ping' }, 'ocpp1.6', ownHandlers).result).toEqual({ status: 'Accepted', data: 'ping' })
  expect(send(echo, 'ocpp1.6', ownHandlers).result).toEqual({ status: 'Accepted' })
})

test('the service takes handlers beside its own', async () => {
  const service = createStationsService({ ...stationsDeps, vendorHandlers: handlers })
  const record = inboundCall(
    'DataTransfer',
    { vendorId: 'com.example', messageId: 'setLedColor' },
    { protocol: 'ocpp1.6' },
  )
  const state = await service.load({} as never, [record], new Date())

  expect(service.decide(record, state, decisionContext(record)).answer).toMatchObject({
    result: { status: 'Accepted' },
  })
})
