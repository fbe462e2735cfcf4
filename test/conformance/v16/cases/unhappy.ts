import { expect } from 'vitest'
import { unknownCard } from '../bench.js'
import { type Lab, minutesAgo } from '../lab.js'
import * as wishes from '../wishes/index.js'

/** Core: unhappy flows. */
export const unhappy = {
  TC_023_1_CSMS: async (lab: Lab) => {
    await lab.authorizes(unknownCard, 'Invalid')
  },

  TC_023_2_CSMS: async (lab: Lab) => {
    await lab.authorizes(lab.bench.tokens.expired, 'Expired')
  },

  TC_023_3_CSMS: async (lab: Lab) => {
    await lab.authorizes(lab.bench.tokens.blocked, 'Blocked')
  },

  TC_024_CSMS: async (lab: Lab) => {
    await lab.authorizes(lab.bench.tokens.valid, 'Accepted')
    await lab.reports('Preparing')
    await lab.reports('Faulted', 1, { errorCode: 'ConnectorLockFailure' })
    await lab.showsConnector(1, { status: 'Faulted', errorCode: 'ConnectorLockFailure' })
  },

  TC_026_CSMS: async (lab: Lab) => {
    const before = await lab.countsTransactions()
    await lab.asks(wishes.remoteStart(lab.bench.tokens.valid, 1), { status: 'Rejected' }, 'rejected')
    expect(await lab.countsTransactions()).toBe(before)
  },

  TC_028_CSMS: async (lab: Lab) => {
    const transactionId = await lab.charges()
    await lab.asks(wishes.remoteStop(1), { status: 'Rejected' }, 'rejected')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active' })
  },

  TC_030_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.unlock(1), { status: 'UnlockFailed' }, 'rejected')
  },

  TC_031_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.unlock(99), { status: 'NotSupported' }, 'rejected')
  },

  TC_032_1_CSMS: async (lab: Lab) => {
    const transactionId = await lab.charges()
    const stoppedAt = new Date()
    lab.station.vanishes()
    await lab.connects()
    await lab.boots('Accepted', [])
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active' })
    await lab.reports('Finishing')
    await lab.reports('Available', 0)
    await lab.reports('Available', 2)
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active' })
    await lab.stops(transactionId, 'PowerLoss', { at: stoppedAt })
    const ended = { status: 'ended', stoppedReason: 'PowerLoss', endedAt: stoppedAt.toISOString() }
    expect(await lab.transaction(transactionId)).toMatchObject(ended)
  },

  TC_037_1_CSMS: async (lab: Lab) => {
    const at = minutesAgo(30)
    await lab.reconnects()
    const transactionId = await lab.starts({ at })
    await lab.reports('Charging')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active', startedAt: at.toISOString() })
  },

  TC_037_3_CSMS: async (lab: Lab) => {
    await lab.reconnects()
    const transactionId = await lab.starts({ at: minutesAgo(30), idTag: unknownCard }, 'Invalid')
    await lab.reports('Charging')
    await lab.stops(transactionId, 'DeAuthorized')
    await lab.reports('Finishing')
    const ended = { status: 'ended', energyWh: 1_500, stoppedReason: 'DeAuthorized' }
    expect(await lab.transaction(transactionId)).toMatchObject(ended)
  },

  TC_039_CSMS: async (lab: Lab) => {
    const [startedAt, endedAt] = [minutesAgo(60), minutesAgo(30)]
    await lab.reconnects()
    const transactionId = await lab.starts({ at: startedAt })
    await lab.stops(transactionId, 'Local', { at: endedAt })
    expect(await lab.transaction(transactionId)).toMatchObject({
      ...{ status: 'ended', energyWh: 1_500, stoppedReason: 'Local' },
      ...{ startedAt: startedAt.toISOString(), endedAt: endedAt.toISOString() },
    })
  },

  TC_040_1_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.changeConfiguration('NoSuchKey', '1'), { status: 'NotSupported' }, 'rejected')
  },

  TC_040_2_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.changeConfiguration('MeterValueSampleInterval', '30'), { status: 'Accepted' })
    await lab.asks(wishes.changeConfiguration('MeterValueSampleInterval', '-1'), { status: 'Rejected' }, 'rejected')
    await lab.showsKey('MeterValueSampleInterval', { value: '30' })
  },
}
