import type { OutgoingRecord, Ownership } from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
import { expect, test } from 'vitest'
import { fakePorts } from '../pipeline/testing.js'
import { watchOnce } from './lease-watch.js'

function portsWithLapsed(stations: { stationId: string; connectionId: string; epoch: number }[]) {
  const ports = fakePorts()
  const released: string[] = []
  const ownership: Partial<Ownership> = {
    takeLapsed: async () => [{ gatewayId: 'gateway-7', stations }],
    releaseGateway: async (gatewayId) => void released.push(gatewayId),
  }
  ports.backbone.ownership = ownership as Ownership
  return { ports, released }
}

test('each station of a lapsed gateway is logged as disconnected, and its commands are told', async () => {
  const { ports, released } = portsWithLapsed([{ stationId: 'CP-1', connectionId: 'c-1', epoch: 42 }])

  await watchOnce(ports)

  expect(ports.appended).toEqual([
    {
      topic: 'busbar.ocpp.stations',
      key: 'CP-1',
      value: '{"code":1006,"reason":"gateway gone"}',
      headers: expect.objectContaining({ type: 'disconnected', station: 'CP-1', connection: 'c-1', epoch: '42' }),
    },
    {
      topic: 'busbar.ocpp.commands',
      key: 'CP-1',
      value: '{"connectionId":"c-1","gatewayId":"gateway-7"}',
      headers: expect.objectContaining({ type: 'gateway-lost', station: 'CP-1', connection: 'c-1' }),
    },
  ])
  expect(released).toEqual(['gateway-7'])
})

test('a gateway is let go only when all its stations are in the log', async () => {
  const { ports, released } = portsWithLapsed([{ stationId: 'CP-1', connectionId: 'c-1', epoch: 42 }])
  ports.backbone.log.append = async (_record: OutgoingRecord) => {
    throw new UnavailableError('log away')
  }

  await watchOnce(ports)

  expect(released).toEqual([])
})
