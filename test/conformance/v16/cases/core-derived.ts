import { expect } from 'vitest'
import { family } from '../bench.js'
import { cold, type Lab, minutesAgo } from '../lab.js'
import * as wishes from '../wishes/index.js'
import { requiredKeys } from './configuration.js'
import { energy } from './trigger.js'

const accepted = { status: 'Accepted' }

/** For the length of a case. */
async function underPolicy(lab: Lab, policy: string, play: () => Promise<void>): Promise<void> {
  const { station, system } = lab.bench
  const decide = (each: string) => system.api.expect('PUT', lab.path('registration', station.id), { policy: each })
  await decide(policy)
  try {
    await play()
  } finally {
    await decide('accept')
  }
}

async function startRepeated(lab: Lab, start: object, times = 1): Promise<Record<string, unknown>[]> {
  const answers = []
  for (let turn = 0; turn < times; turn++) answers.push(await lab.station.sends('StartTransaction', start))
  return answers
}

/** Core (derived). */
export const coreDerived = {
  'UC16-Boot-1': cold(async (lab: Lab) => {
    await underPolicy(lab, 'pending', async () => {
      await lab.connects()
      await lab.boots('Pending')
      await lab.asks(wishes.getConfiguration(['HeartbeatInterval']), { configurationKey: [], unknownKey: [] })
      await lab.asks(wishes.changeConfiguration('HeartbeatInterval', '300'), accepted)
      const refused = await lab.sends(wishes.remoteStart(lab.bench.tokens.valid, 1))
      expect(refused.body.status).not.toBe('accepted')
      await lab.asks(wishes.trigger('BootNotification'), accepted)
      await lab.boots('Pending')
      await lab.asks(wishes.trigger('StatusNotification', 1), accepted)
      await lab.reports('Available')
    })
    await lab.boots()
  }),

  'UC16-Boot-2': cold(async (lab: Lab) => {
    await underPolicy(lab, 'reject', async () => {
      await lab.connects()
      await lab.boots('Rejected')
      const refused = await lab.sends(wishes.clearCache())
      expect(refused.body.status).not.toBe('accepted')
    })
    await lab.reconnects()
    await lab.boots()
  }),

  'UC16-Boot-3': cold(async (lab: Lab) => {
    await lab.connects()
    const said = {
      ...{ chargeBoxSerialNumber: 'BOX-1', chargePointSerialNumber: 'POINT-1', firmwareVersion: '1.2.3' },
      ...{ iccid: '8931086013000000000', imsi: '204080000000000', meterType: 'EM-1', meterSerialNumber: 'M-1' },
    }
    const boot = { chargePointVendor: 'Lab', chargePointModel: 'Strict', ...said }
    const { currentTime } = await lab.station.sends<{ currentTime: string }>('BootNotification', boot)
    expect(currentTime).toMatch(/Z$/)
    const { chargeBoxSerialNumber: _, chargePointSerialNumber: serialNumber, ...rest } = said
    await lab.shows('', { boot: { vendor: 'Lab', model: 'Strict', serialNumber, ...rest } })
  }),

  'UC16-Auth-1': async (lab: Lab) => {
    const { single, sibling } = lab.bench.tokens
    const known = { parentIdTag: family, expiryDate: expect.stringMatching(/^2099-12-31T23:59:59/) }
    expect(await lab.authorizes(single, 'Accepted')).toMatchObject(known)
    const first = await lab.starts({ idTag: single })
    expect(await lab.authorizes(single, 'Accepted')).toMatchObject(known)
    const second = await lab.starts({ idTag: single, connectorId: 2 }, 'ConcurrentTx')
    expect(second).not.toBe(first)
    await lab.stops(second, 'DeAuthorized')
    await lab.stops(first, 'Local', { idTag: sibling })
    await lab.stops(await lab.starts({ idTag: single, connectorId: 2 }), 'Local')
  },

  'UC16-Start-1': async (lab: Lab) => {
    const start = {
      ...{ connectorId: 1, idTag: lab.bench.tokens.valid, meterStart: 0, timestamp: new Date().toISOString() },
    }
    const before = await lab.countsTransactions()
    lab.station.sendsAndVanishes('StartTransaction', start)
    await lab.station.closed
    await expect.poll(() => lab.countsTransactions(), { timeout: 5_000 }).toBe(before + 1)
    await lab.connects()
    const [first, second] = await startRepeated(lab, start, 2)
    expect(second).toEqual(first)
    expect(await lab.countsTransactions()).toBe(before + 1)
  },

  'UC16-Start-2': async (lab: Lab) => {
    const transactionId = await lab.starts({ idTag: lab.bench.tokens.blocked }, 'Blocked')
    await lab.tells('MeterValues', { connectorId: 1, transactionId, meterValue: [energy('1200')] })
    await lab.stops(transactionId, 'DeAuthorized')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'ended', energyWh: 1_500 })
    const another = await lab.starts({ idTag: lab.bench.tokens.blocked }, 'Blocked')
    expect(another).not.toBe(transactionId)
    await lab.stops(another, 'DeAuthorized')
  },

  'UC16-Start-3': async (lab: Lab) => {
    const { lone } = lab.bench.tokens
    // Now: of two that run on one connector, the one that began earlier is over.
    const start = { connectorId: 1, idTag: lone, meterStart: 1_000, timestamp: new Date().toISOString() }
    const before = await lab.countsTransactions()
    lab.station.sendsAndVanishes('StartTransaction', start)
    await lab.station.closed
    await expect.poll(() => lab.countsTransactions(), { timeout: 5_000 }).toBe(before + 1)
    await lab.connects()
    await lab.tells('MeterValues', { connectorId: 1, transactionId: -1, meterValue: [energy('1100')] })
    const idTagInfo = await lab.stops(-1, 'Local', { idTag: lone })
    expect(idTagInfo).toMatchObject({ status: 'Accepted' })
    expect(await lab.countsTransactions()).toBe(before + 1)
    expect((await lab.transactions())[0]).toMatchObject({ status: 'ended', energyWh: 1_500, stoppedReason: 'Local' })
  },

  'UC16-Stop-1': async (lab: Lab) => {
    await lab.stops(2_147_000_000, 'Local')
    const transactionId = await lab.charges()
    await lab.stops(transactionId, 'EVDisconnected')
    await lab.stops(transactionId, 'Local', { meterStop: 9_999 })
    const ended = { status: 'ended', energyWh: 1_500, stoppedReason: 'EVDisconnected' }
    expect(await lab.transaction(transactionId)).toMatchObject(ended)
  },

  'UC16-Stop-2': async (lab: Lab) => {
    const { parent, sibling } = lab.bench.tokens
    const first = await lab.charges()
    const transactionData = [
      energy('1000', { context: 'Transaction.Begin' }),
      energy('1700', { context: 'Sample.Periodic' }),
      energy('2500', { context: 'Transaction.End' }),
    ]
    expect(await lab.stops(first, null, { transactionData })).toBeUndefined()
    const { id, ...ended } = await lab.transaction(first)
    expect(ended).toMatchObject({ status: 'ended', energyWh: 1_500, stoppedReason: 'Local' })
    const { items } = await lab.system.api.get<{ items: unknown[] }>(`/transactions/${id}/readings`)
    expect(items).toHaveLength(3)

    const second = await lab.charges({ idTag: parent })
    const stopped = await lab.stops(second, 'Local', { idTag: sibling })
    expect(stopped).toMatchObject({ status: 'Accepted', parentIdTag: family })
    const third = await lab.charges({ idTag: parent })
    expect(await lab.stops(third, 'Local', { idTag: lab.bench.tokens.blocked })).toMatchObject({ status: 'Blocked' })
    expect(await lab.transaction(third)).toMatchObject({ status: 'ended' })
  },

  'UC16-Stop-3': async (lab: Lab) => {
    const reasons = [
      ...['EmergencyStop', 'EVDisconnected', 'HardReset', 'Local', 'Other', 'PowerLoss', 'Reboot', 'Remote'],
      ...['SoftReset', 'UnlockCommand', 'DeAuthorized'],
    ]
    for (const stoppedReason of reasons) {
      const transactionId = await lab.starts()
      await lab.stops(transactionId, stoppedReason)
      expect(await lab.transaction(transactionId)).toMatchObject({ status: 'ended', stoppedReason })
    }
  },

  'UC16-Meter-1': async (lab: Lab) => {
    const signed = { value: 'AQID/7F+', format: 'SignedData', context: 'Transaction.Begin' }
    const kilowattHours = { value: '1.5', unit: 'kWh', measurand: 'Energy.Active.Import.Register' }
    const rich = [kilowattHours, { value: '16.1', measurand: 'Current.Import', phase: 'L1', location: 'Cable' }, signed]
    await lab.tells('MeterValues', { connectorId: 0, meterValue: [energy('42')] })
    await lab.tells('MeterValues', { connectorId: 1, meterValue: [energy('43')] })
    const transactionId = await lab.charges()
    const meterValue = [{ timestamp: new Date().toISOString(), sampledValue: rich }]
    await lab.tells('MeterValues', { connectorId: 1, transactionId, meterValue })
    await lab.stops(transactionId, 'Local')
    await lab.tells('MeterValues', { connectorId: 1, transactionId, meterValue: [energy('2400')] })
    const { id } = await lab.transaction(transactionId)
    const readings = () => lab.system.api.get(`/transactions/${id}/readings`)
    await expect
      .poll(readings, { timeout: 5_000 })
      .toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ samples: rich })]) })
    await expect
      .poll(readings, { timeout: 5_000 })
      .toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ samples: [{ value: '2400' }] })]) })
    expect(await lab.transaction(transactionId)).toMatchObject({ energyWh: 1_500 })
  },

  'UC16-Status-1': async (lab: Lab) => {
    const details = { info: 'what it is', vendorId: 'com.example', vendorErrorCode: 'E-17' }
    const statuses = [
      ...['Available', 'Preparing', 'Charging', 'SuspendedEVSE', 'SuspendedEV', 'Finishing', 'Reserved'],
      ...['Unavailable', 'Faulted'],
    ]
    for (const status of statuses) {
      await lab.reports(status, 1, { ...details, errorCode: status === 'Faulted' ? 'OtherError' : 'NoError' })
    }
    await lab.showsConnector(1, { status: 'Faulted', errorCode: 'OtherError', ...details })
    for (const status of ['Available', 'Unavailable', 'Faulted']) await lab.reports(status, 0)
    await lab.showsConnector(0, { status: 'Faulted' })

    await lab.reports('Available', 1)
    await lab.reports('Charging', 1, { timestamp: minutesAgo(10).toISOString() })
    const fresh = 1_000 + Math.floor(Math.random() * 60_000)
    await lab.reports('Available', fresh)
    await lab.showsConnector(fresh, { status: 'Available' })
    await lab.showsConnector(1, { status: 'Available' })
  },

  'UC16-HB-1': async (lab: Lab) => {
    const { connection } = await lab.system.api.get<{ connection: { lastSeenAt: string } }>(lab.path(''))
    await lab.beats()
    await lab.reports('Available')
    const seen = await lab.system.api.get<{ connection: { lastSeenAt: string; online: boolean } }>(lab.path(''))
    expect(seen.connection.online).toBe(true)
    expect(Date.parse(seen.connection.lastSeenAt)).toBeGreaterThanOrEqual(Date.parse(connection.lastSeenAt))
  },

  'UC16-Avail-1': async (lab: Lab) => {
    await lab.asks(wishes.availability(0, false), accepted)
    for (const connector of [0, 1, 2]) await lab.reports('Unavailable', connector)
    await lab.showsDesired(0, { operative: false, outcome: 'accepted', inEffect: true })
    await lab.asks(wishes.availability(0, true), accepted)
    for (const connector of [0, 1, 2]) await lab.reports('Available', connector)
    await lab.asks(wishes.availability(1, false), { status: 'Rejected' }, 'rejected')

    const transactionId = await lab.charges()
    await lab.asks(wishes.availability(1, false), { status: 'Scheduled' })
    await lab.showsDesired(1, { operative: false, outcome: 'scheduled', inEffect: false })
    await lab.stops(transactionId, 'Local')
    await lab.reports('Unavailable')
    await lab.showsDesired(1, { operative: false, inEffect: true })
    await lab.asks(wishes.availability(1, true), accepted)
    await lab.reports('Available')
  },

  'UC16-Conf-1': async (lab: Lab) => {
    const maxKeys = (value: string) => ({ key: 'GetConfigurationMaxKeys', readonly: true, value })
    await lab.asks(wishes.getConfiguration(['GetConfigurationMaxKeys']), {
      ...{ configurationKey: [maxKeys('5')], unknownKey: [] },
    })
    await lab.showsKey('GetConfigurationMaxKeys', { value: '5' })
    const known = requiredKeys.slice(0, 11)
    const keys = [...known.map(({ key }) => key), 'NoSuchKey']
    const sent = lab.sends(wishes.getConfiguration(keys))
    const parts: string[][] = []
    while (parts.flat().length < keys.length) {
      const call = await lab.station.isCalled('GetConfiguration')
      const part = (call.payload as { key: string[] }).key
      expect(part.length).toBeLessThanOrEqual(5)
      parts.push(part)
      const configurationKey = known.filter(({ key }) => part.includes(key))
      const unknownKey = part.filter((key) => key === 'NoSuchKey')
      lab.station.answers(call, { configurationKey, unknownKey })
    }
    expect(parts.flat()).toEqual(keys)
    const { body } = await sent
    expect(body.status).toBe('accepted')
    expect(body.response).toMatchObject({ configurationKey: known, unknownKey: ['NoSuchKey'] })
    await lab.showsItem('configuration', { key: 'NoSuchKey', unknown: true })

    await lab.asks(wishes.changeConfiguration('HeartbeatInterval', '600'), { status: 'RebootRequired' })
    await lab.showsKey('HeartbeatInterval', { value: '300', pendingValue: '600' })
    await lab.reconnects()
    await lab.boots()
    await lab.asks(wishes.getConfiguration(['GetConfigurationMaxKeys', 'HeartbeatInterval']), {
      configurationKey: [maxKeys('50'), { key: 'HeartbeatInterval', readonly: false, value: '600' }],
    })
    await lab.showsKey('HeartbeatInterval', { value: '600', pendingValue: null })
  },

  'UC16-Remote-1': async (lab: Lab) => {
    const sent = await lab.asks(wishes.remoteStart(lab.bench.tokens.valid), accepted)
    expect(sent).not.toHaveProperty('connectorId')
    if (lab.mode === 'typed') {
      const answer = await lab.system.api.request('POST', lab.path('remote-start'), {
        ...{ token: lab.bench.tokens.valid, connector: 0 },
      })
      expect([400, 422]).toContain(answer.status)
    }
  },

  'UC16-DT-1': async (lab: Lab) => {
    const answers = [
      ['Accepted', 'accepted'],
      ['Rejected', 'rejected'],
      ['UnknownMessageId', 'rejected'],
      ['UnknownVendorId', 'rejected'],
    ] as const
    for (const [status, verdict] of answers) {
      await lab.asks(wishes.dataTransfer('com.example', 'Hello', '{"a":1}'), { status, data: 'x' }, verdict)
    }
    const { status, data } = await lab.station.sends('DataTransfer', {
      vendorId: 'busbar',
      messageId: 'echo',
      data: 'x',
    })
    expect({ status, data }).toEqual({ status: 'Accepted', data: 'x' })
    expect(await lab.station.sends('DataTransfer', { vendorId: 'busbar', messageId: 'no-such' })).toMatchObject({
      status: 'UnknownMessageId',
    })
  },

  'UC16-Reset-1': async (lab: Lab) => {
    const soft = await lab.charges()
    await lab.asks(wishes.reset('Soft'), accepted)
    await lab.stops(soft, 'SoftReset')
    await lab.reconnects()
    await lab.boots()
    expect(await lab.transaction(soft)).toMatchObject({ status: 'ended', stoppedReason: 'SoftReset' })

    const hard = await lab.charges()
    await lab.asks(wishes.reset('Hard'), { status: 'Rejected' }, 'rejected')
    await lab.asks(wishes.reset('Hard'), accepted)
    const stoppedAt = new Date()
    await lab.reconnects()
    await lab.boots()
    expect(await lab.transaction(hard)).toMatchObject({ status: 'active' })
    await lab.stops(hard, 'HardReset', { at: stoppedAt })
    expect(await lab.transaction(hard)).toMatchObject({ status: 'ended', stoppedReason: 'HardReset' })
  },

  'UC16-Cache-1': async (lab: Lab) => {
    await lab.asks(wishes.clearCache(), { status: 'Rejected' }, 'rejected')
  },
}
