import { expect } from 'vitest'
import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

const accepted = { status: 'Accepted' }

/** @returns the number that the profile got */
export async function sets(lab: Lab, connector: number, profile: wishes.Profile): Promise<number> {
  const wish = wishes.setProfile(connector, profile)
  const { csChargingProfiles } = await lab.asks<wishes.SentProfile>(wish, accepted)
  await lab.showsItem('charging-profiles', { profileId: csChargingProfiles.chargingProfileId, state: 'active' })
  return csChargingProfiles.chargingProfileId
}

/** Smart charging. */
export const smartCharging = {
  TC_056_CSMS: async (lab: Lab) => {
    await sets(lab, 1, { purpose: 'TxDefaultProfile', kind: 'Absolute', limit: 6, unit: 'A' })
    await sets(lab, 1, { purpose: 'TxDefaultProfile', kind: 'Absolute', limit: 6_000, unit: 'W' })
    const omittable = [{ start: 0, limit: 6 }]
    await sets(lab, 1, { purpose: 'TxDefaultProfile', kind: 'Absolute', periods: omittable })
  },

  TC_057_CSMS: async (lab: Lab) => {
    const transactionId = await lab.charges()
    const absolute = await sets(lab, 1, { purpose: 'TxProfile', kind: 'Absolute', transactionId })
    const relative = await sets(lab, 1, { purpose: 'TxProfile', kind: 'Relative', transactionId, stackLevel: 1 })
    await lab.stops(transactionId, 'Local')
    for (const profileId of [absolute, relative]) {
      await lab.showsItem('charging-profiles', { profileId, state: 'ended' })
    }
  },

  TC_059_CSMS: async (lab: Lab) => {
    const { valid } = lab.bench.tokens
    for (const kind of ['Relative', 'Absolute'] as const) {
      const wish = wishes.remoteStartWithProfile(valid, 1, { purpose: 'TxProfile', kind })
      const sent = await lab.asks<{ chargingProfile: wishes.SentProfile['csChargingProfiles'] }>(wish, accepted)
      expect(sent.chargingProfile.chargingSchedule.chargingSchedulePeriod[0]?.startPeriod).toBe(0)
      await lab.authorizes(valid, 'Accepted')
      await lab.reports('Preparing')
      const transactionId = await lab.starts()
      await lab.reports('Charging')
      await lab.showsItem('charging-profiles', { profileId: sent.chargingProfile.chargingProfileId, state: 'active' })
      await lab.stops(transactionId, 'Local')
      await lab.reports('Available')
    }
  },

  TC_066_CSMS: async (lab: Lab) => {
    const scheduleStart = new Date().toISOString()
    const chargingSchedule = {
      ...{ duration: 300, startSchedule: scheduleStart, chargingRateUnit: 'A' },
      chargingSchedulePeriod: [{ startPeriod: 0, limit: 6 }],
    }
    await lab.asks(wishes.compositeSchedule(1, 300, 'A'), {
      ...{ status: 'Accepted', connectorId: 1, scheduleStart, chargingSchedule },
    })
    await lab.shows('composite-schedule?connector=1&durationSeconds=300&unit=A', {
      station: { chargingSchedule: { chargingRateUnit: 'A' } },
    })
  },

  TC_067_CSMS: async (lab: Lab) => {
    const clear = (which: wishes.Clear) => lab.asks(wishes.clearProfile(which), accepted)
    const isGone = (profileId: number) => lab.showsItem('charging-profiles', { profileId, state: 'cleared' })

    // 2024-04: three levels of one purpose on one connector.
    const levels = []
    for (const stackLevel of [1, 2, 3]) {
      levels.push(await sets(lab, 1, { purpose: 'TxDefaultProfile', kind: 'Absolute', stackLevel }))
    }
    await clear({ profileId: levels[0] as number })
    await isGone(levels[0] as number)
    await clear({ connector: 1, purpose: 'TxDefaultProfile', stackLevel: 2 })
    await isGone(levels[1] as number)
    await lab.showsItem('charging-profiles', { profileId: levels[2], state: 'active' })
    await clear({})
    await isGone(levels[2] as number)

    // 2025-11: one of each purpose at one level.
    const transactionId = await lab.charges()
    const max = await sets(lab, 0, { purpose: 'ChargePointMaxProfile', kind: 'Absolute', stackLevel: 1 })
    const byDefault = await sets(lab, 1, { purpose: 'TxDefaultProfile', kind: 'Absolute', stackLevel: 1 })
    const own = await sets(lab, 1, { purpose: 'TxProfile', kind: 'Absolute', stackLevel: 1, transactionId })
    expect(new Set([max, byDefault, own]).size).toBe(3)
    await clear({ profileId: max })
    await clear({ connector: 1, purpose: 'TxDefaultProfile', stackLevel: 1 })
    await isGone(byDefault)
    await lab.showsItem('charging-profiles', { profileId: own, state: 'active' })
    await clear({})
    await isGone(own)
    await lab.stops(transactionId, 'Local')
  },
}
