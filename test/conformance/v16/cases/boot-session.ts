import { expect } from 'vitest'
import { cold, type Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

/** Core: boot, session, cache. */
export const bootSession = {
  TC_001_CSMS: cold(async (lab: Lab) => {
    await lab.connects()
    await lab.boots()
    await lab.beats()
    await lab.beats()
    await lab.shows('', { registration: 'Accepted', connection: { online: true } })
    for (const connector of [1, 2]) await lab.showsConnector(connector, { status: 'Available' })
  }),

  TC_003_CSMS: async (lab: Lab) => {
    await lab.reports('Preparing')
    await lab.authorizes(lab.bench.tokens.valid, 'Accepted')
    const first = await lab.starts()
    await lab.reports('Charging')
    expect(await lab.transaction(first)).toMatchObject({ status: 'active', token: lab.bench.tokens.valid })
    await lab.stops(first, 'Local')

    // Both orders of Charging and StartTransaction are allowed.
    await lab.reports('Preparing')
    await lab.authorizes(lab.bench.tokens.valid, 'Accepted')
    await lab.reports('Charging')
    const second = await lab.starts()
    expect(await lab.transaction(second)).toMatchObject({ status: 'active' })
    await lab.showsConnector(1, { status: 'Charging' })
  },

  TC_004_1_CSMS: async (lab: Lab) => {
    const transactionId = await lab.charges()
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active' })
  },

  TC_004_2_CSMS: async (lab: Lab) => {
    const before = await lab.countsTransactions()
    await lab.authorizes(lab.bench.tokens.valid, 'Accepted')
    await lab.reports('Preparing')
    await lab.reports('Available')
    expect(await lab.countsTransactions()).toBe(before)
    await lab.showsConnector(1, { status: 'Available' })
  },

  TC_005_1_CSMS: async (lab: Lab) => {
    const transactionId = await lab.charges()
    await lab.reports('SuspendedEV')
    await lab.stops(transactionId, 'EVDisconnected')
    await lab.reports('Finishing')
    await lab.reports('Available')
    const ended = { status: 'ended', energyWh: 1_500, stoppedReason: 'EVDisconnected' }
    expect(await lab.transaction(transactionId)).toMatchObject(ended)
  },

  TC_007_CSMS: async (lab: Lab) => {
    await lab.reports('Preparing')
    const transactionId = await lab.starts()
    await lab.reports('Charging')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'active' })
  },

  TC_061_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.clearCache(), { status: 'Accepted' })
  },
}
