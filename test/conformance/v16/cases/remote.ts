import { expect } from 'vitest'
import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

const reset = (type: 'Hard' | 'Soft') => async (lab: Lab) => {
  await lab.asks(wishes.reset(type), { status: 'Accepted' })
  await lab.reconnects()
  await lab.boots()
  await lab.shows('', { registration: 'Accepted', connection: { online: true } })
}

/** Core: remote actions. */
export const remote = {
  TC_010_CSMS: async (lab: Lab) => {
    const { valid } = lab.bench.tokens
    for (const connector of [1, undefined]) {
      await lab.reports('Preparing')
      await lab.asks(wishes.remoteStart(valid, connector), { status: 'Accepted' })
      await lab.authorizes(valid, 'Accepted')
      const transactionId = await lab.starts()
      await lab.reports('Charging')
      expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active', token: valid })
      await lab.stops(transactionId, 'Local')
      await lab.reports('Available')
    }
  },

  TC_011_1_CSMS: async (lab: Lab) => {
    const { valid } = lab.bench.tokens
    await lab.asks(wishes.remoteStart(valid, 1), { status: 'Accepted' })
    await lab.authorizes(valid, 'Accepted')
    await lab.reports('Preparing')
    const transactionId = await lab.starts()
    await lab.reports('Charging')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active' })
  },

  TC_011_2_CSMS: async (lab: Lab) => {
    const { valid } = lab.bench.tokens
    const before = await lab.countsTransactions()
    await lab.asks(wishes.remoteStart(valid, 1), { status: 'Accepted' })
    await lab.authorizes(valid, 'Accepted')
    await lab.reports('Preparing')
    await lab.reports('Available')
    expect(await lab.countsTransactions()).toBe(before)
    await lab.showsConnector(1, { status: 'Available' })
  },

  TC_012_CSMS: async (lab: Lab) => {
    const transactionId = await lab.charges()
    const { id } = await lab.transaction(transactionId)
    await lab.asks(wishes.remoteStop(transactionId, id), { status: 'Accepted' })
    await lab.stops(transactionId, 'Remote')
    await lab.reports('Finishing')
    await lab.reports('Available')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'ended', stoppedReason: 'Remote' })
  },

  TC_013_CSMS: reset('Hard'),

  TC_014_CSMS: reset('Soft'),

  TC_017_1_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.unlock(1), { status: 'Unlocked' })
  },

  TC_017_2_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.unlock(1), { status: 'NotSupported' }, 'rejected')
  },

  TC_018_1_CSMS: async (lab: Lab) => {
    for (const isStoppedFirst of [false, true]) {
      const transactionId = await lab.charges()
      await lab.asks(wishes.unlock(1), { status: 'Unlocked' })
      if (!isStoppedFirst) await lab.reports('Finishing')
      await lab.stops(transactionId, 'UnlockCommand')
      if (isStoppedFirst) await lab.reports('Finishing')
      await lab.reports('Available')
      expect(await lab.transaction(transactionId)).toMatchObject({ status: 'ended', stoppedReason: 'UnlockCommand' })
    }
  },
}
