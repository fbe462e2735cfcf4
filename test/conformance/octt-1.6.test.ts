import { expect } from 'vitest'
import { type Case, operator, runCatalogue, tokens, transactionOf } from './catalogue.js'
import type { StrictStation } from './strict-station.js'

interface IdTagInfo {
  idTagInfo: { status: string }
}

async function boots(station: StrictStation): Promise<void> {
  const answer = await station.sends('BootNotification', { chargePointVendor: 'Lab', chargePointModel: 'Strict' })
  expect(answer.status).toBe('Accepted')
  expect(answer.interval).toBeGreaterThan(0)
  for (const connectorId of [0, 1]) await reports(station, 'Available', connectorId)
}

async function reports(station: StrictStation, status: string, connectorId = 1, errorCode = 'NoError'): Promise<void> {
  const answer = await station.sends('StatusNotification', { connectorId, status, errorCode })
  expect(answer).toEqual({})
}

async function authorizes(station: StrictStation, idTag: string, status: string): Promise<void> {
  const { idTagInfo } = await station.sends<IdTagInfo>('Authorize', { idTag })
  expect(idTagInfo.status).toBe(status)
}

async function starts(station: StrictStation, idTag = tokens.valid, status = 'Accepted', at = new Date()) {
  const answer = await station.sends<IdTagInfo & { transactionId: number }>('StartTransaction', {
    connectorId: 1,
    idTag,
    meterStart: 1_000,
    timestamp: at.toISOString(),
  })
  expect(answer.idTagInfo.status).toBe(status)
  expect(answer.transactionId).toBeGreaterThan(0)
  return answer.transactionId
}

async function charges(station: StrictStation): Promise<number> {
  await authorizes(station, tokens.valid, 'Accepted')
  await reports(station, 'Preparing')
  const transactionId = await starts(station)
  await reports(station, 'Charging')
  return transactionId
}

async function stops(station: StrictStation, transactionId: number, reason: string, at = new Date()): Promise<void> {
  await station.sends('StopTransaction', { transactionId, meterStop: 2_500, timestamp: at.toISOString(), reason })
}

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000)

const reset =
  (type: 'Hard' | 'Soft'): Case =>
  async (lab) => {
    await boots(lab.station)
    const asked = await operator(lab, 'Reset', { type }, { status: 'Accepted' }, 'accepted')
    expect(asked).toEqual({ type })
    await boots(lab.station)
  }

runCatalogue('ocpp1.6', {
  'TC_001_CSMS cold boot': async ({ station }) => {
    await boots(station)
    const { currentTime } = await station.sends<{ currentTime: string }>('Heartbeat', {})
    expect(Math.abs(Date.parse(currentTime) - Date.now())).toBeLessThan(5_000)
  },
  'TC_003_CSMS session, cable first': async ({ station }) => {
    await boots(station)
    await reports(station, 'Preparing')
    await authorizes(station, tokens.valid, 'Accepted')
    await starts(station)
    await reports(station, 'Charging')
  },
  'TC_004_1_CSMS session, card first': async ({ station }) => {
    await boots(station)
    await charges(station)
  },
  'TC_004_2_CSMS card first, cable never plugged': async ({ system, station }) => {
    await boots(station)
    await authorizes(station, tokens.valid, 'Accepted')
    await reports(station, 'Preparing')
    await reports(station, 'Available')
    expect((await system.api.get<{ items: [] }>(`/transactions?station=${station.id}`)).items).toEqual([])
  },
  'TC_005_1_CSMS EV-side unplug stops the session': async (lab) => {
    await boots(lab.station)
    const transactionId = await charges(lab.station)
    await reports(lab.station, 'SuspendedEV')
    await stops(lab.station, transactionId, 'EVDisconnected')
    await reports(lab.station, 'Finishing')
    await reports(lab.station, 'Available')
    expect(await transactionOf(lab)).toMatchObject({
      status: 'ended',
      energyWh: 1_500,
      stoppedReason: 'EVDisconnected',
    })
  },
  'TC_007_CSMS session with a cached card': async ({ station }) => {
    await boots(station)
    await reports(station, 'Preparing')
    await starts(station)
    await reports(station, 'Charging')
  },
  'TC_061_CSMS clear cache': async (lab) => {
    await boots(lab.station)
    await operator(lab, 'ClearCache', {}, { status: 'Accepted' }, 'accepted')
  },
  'TC_010_CSMS remote start, cable first': async (lab) => {
    await boots(lab.station)
    await reports(lab.station, 'Preparing')
    const asked = await operator(
      lab,
      'RemoteStartTransaction',
      { idTag: tokens.valid, connectorId: 1 },
      { status: 'Accepted' },
      'accepted',
    )
    expect(asked).toEqual({ idTag: tokens.valid, connectorId: 1 })
    await authorizes(lab.station, tokens.valid, 'Accepted')
    await starts(lab.station)
    await reports(lab.station, 'Charging')
  },
  'TC_012_CSMS remote stop': async (lab) => {
    await boots(lab.station)
    const transactionId = await charges(lab.station)
    await operator(lab, 'RemoteStopTransaction', { transactionId }, { status: 'Accepted' }, 'accepted')
    await stops(lab.station, transactionId, 'Remote')
    await reports(lab.station, 'Finishing')
    await reports(lab.station, 'Available')
  },
  'TC_013_CSMS hard reset': reset('Hard'),
  'TC_014_CSMS soft reset': reset('Soft'),
  'TC_017_1_CSMS unlock, socket': async (lab) => {
    await boots(lab.station)
    await operator(lab, 'UnlockConnector', { connectorId: 1 }, { status: 'Unlocked' }, 'accepted')
  },
  'TC_019_1_CSMS get all keys': async (lab) => {
    await boots(lab.station)
    const configurationKey = [{ key: 'HeartbeatInterval', readonly: false, value: '300' }]
    const asked = await operator(lab, 'GetConfiguration', {}, { configurationKey }, 'accepted')
    expect(asked).toEqual({})
  },
  'TC_021_CSMS change a key': async (lab) => {
    await boots(lab.station)
    const payload = { key: 'MeterValueSampleInterval', value: '60' }
    expect(await operator(lab, 'ChangeConfiguration', payload, { status: 'Accepted' }, 'accepted')).toEqual(payload)
  },
  'TC_023_1_CSMS authorize invalid': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.unknown, 'Invalid')
  },
  'TC_023_2_CSMS authorize expired': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.expired, 'Expired')
  },
  'TC_023_3_CSMS authorize blocked': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.blocked, 'Blocked')
  },
  'TC_024_CSMS connector lock failure': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.valid, 'Accepted')
    await reports(station, 'Preparing')
    await reports(station, 'Faulted', 1, 'ConnectorLockFailure')
  },
  'TC_026_CSMS remote start rejected': async (lab) => {
    await boots(lab.station)
    await operator(lab, 'RemoteStartTransaction', { idTag: tokens.valid }, { status: 'Rejected' }, 'rejected')
  },
  'TC_028_CSMS remote stop rejected': async (lab) => {
    await boots(lab.station)
    await charges(lab.station)
    await operator(lab, 'RemoteStopTransaction', { transactionId: 1 }, { status: 'Rejected' }, 'rejected')
  },
  'TC_032_1_CSMS power failure, transaction stopped after the boot': async (lab) => {
    await boots(lab.station)
    const transactionId = await charges(lab.station)
    await boots(lab.station)
    expect(await transactionOf(lab)).toMatchObject({ status: 'active' })
    await reports(lab.station, 'Finishing')
    await stops(lab.station, transactionId, 'PowerLoss')
    expect(await transactionOf(lab)).toMatchObject({ status: 'ended', stoppedReason: 'PowerLoss' })
  },
  'TC_037_1_CSMS started offline, valid card': async ({ station }) => {
    await boots(station)
    await starts(station, tokens.valid, 'Accepted', minutesAgo(30))
    await reports(station, 'Charging')
  },
  'TC_037_3_CSMS started offline, invalid card': async (lab) => {
    await boots(lab.station)
    const transactionId = await starts(lab.station, tokens.unknown, 'Invalid', minutesAgo(30))
    await reports(lab.station, 'Charging')
    await stops(lab.station, transactionId, 'DeAuthorized')
    await reports(lab.station, 'Finishing')
    expect(await transactionOf(lab)).toMatchObject({ status: 'ended', energyWh: 1_500 })
  },
  'TC_039_CSMS whole session offline': async (lab) => {
    await boots(lab.station)
    const transactionId = await starts(lab.station, tokens.valid, 'Accepted', minutesAgo(60))
    await stops(lab.station, transactionId, 'Local', minutesAgo(30))
    expect(await transactionOf(lab)).toMatchObject({ status: 'ended', energyWh: 1_500 })
  },
  'TC_040_1_CSMS unknown key': async (lab) => {
    await boots(lab.station)
    const payload = { key: 'NoSuchKey', value: '1' }
    await operator(lab, 'ChangeConfiguration', payload, { status: 'NotSupported' }, 'rejected')
  },
  'TC_040_2_CSMS bad value': async (lab) => {
    await boots(lab.station)
    const payload = { key: 'MeterValueSampleInterval', value: '-1' }
    await operator(lab, 'ChangeConfiguration', payload, { status: 'Rejected' }, 'rejected')
  },
})
