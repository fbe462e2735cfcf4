import { expect } from 'vitest'
import { family, type Identity, unknownCard } from '../bench.js'
import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'
import { upload } from './firmware.js'
import { goesOnFrom, nextVersion, type SentList, sendsFullList, tagsOf } from './local-list.js'
import { reserves } from './reservation.js'
import { sets } from './smart-charging.js'

const accepted = { status: 'Accepted' }

/** The station says what its keys are, because the operator asks. */
async function tellsKeys(lab: Lab, keys: Record<string, string>): Promise<void> {
  const configurationKey = Object.entries(keys).map(([key, value]) => ({ key, value, readonly: true }))
  await lab.asks(wishes.getConfiguration(Object.keys(keys)), { configurationKey })
  for (const [key, value] of Object.entries(keys)) await lab.showsKey(key, { value })
}

const generous = {
  ...{ ChargeProfileMaxStackLevel: '9', ChargingScheduleMaxPeriods: '24', MaxChargingProfilesInstalled: '20' },
  ChargingScheduleAllowedChargingRateUnit: 'Current,Power',
}

/** More tokens than one message may hold: a Full, and Differentials that follow it. */
async function sendsInParts(lab: Lab, tokens: string[]): Promise<void> {
  const sent = lab.sends(wishes.sendList('full', nextVersion(), tokens))
  const parts: SentList[] = []
  while (parts.flatMap(tagsOf).length < tokens.length) {
    parts.push(await lab.station.isAsked<SentList>('SendLocalList', accepted))
  }
  expect((await sent).body.status).toBe('accepted')
  expect(parts.map(({ updateType }) => updateType)).toEqual(['Full', 'Differential'])
  expect(parts.every((part) => tagsOf(part).length <= 2)).toBe(true)
  const last = parts.at(-1) as SentList
  goesOnFrom(last)
  await lab.showsList(last.listVersion, tokens)
}

/** Where the operator has switched that on, a refused change leads to one question and one full list, unasked. */
async function fallsBack(lab: Lab, identity: Identity): Promise<void> {
  const { valid, sibling } = lab.bench.tokens
  await lab.connects(identity)
  await lab.boots()
  const version = await sendsFullList(lab, [valid])
  const differential = wishes.sendList('differential', nextVersion(), [sibling])
  await lab.asks(differential, { status: 'VersionMismatch' }, 'rejected')
  await lab.station.isAsked('GetLocalListVersion', { listVersion: version })
  const full = await lab.station.isAsked<SentList>('SendLocalList', accepted)
  expect(full.updateType).toBe('Full')
  await lab.showsList(full.listVersion, [valid, sibling])
}

/** Local list, firmware, reservation, trigger, smart charging (derived). */
export const profilesDerived = {
  'UC16-List-1': async (lab: Lab) => {
    const { valid, parent, sibling, single, expired } = lab.bench.tokens
    await tellsKeys(lab, { SendLocalListMaxLength: '2', LocalAuthListMaxLength: '4' })
    await sendsFullList(lab, [valid])
    const differential = wishes.sendList('differential', nextVersion(), [sibling])
    await lab.asks(differential, { status: 'VersionMismatch' }, 'rejected')
    const again = await sendsFullList(lab, [valid, sibling])
    await lab.showsList(again, [valid, sibling])

    await sendsInParts(lab, [valid, sibling, parent, single])
    await lab.mayNotAsk(wishes.sendList('full', 0, [valid, sibling, parent, single, expired]))

    const removing = wishes.sendList('differential', nextVersion(), [], [sibling])
    const removed = await lab.asks<{ localAuthorizationList: object[]; listVersion: number }>(removing, accepted)
    expect(removed.localAuthorizationList).toEqual([{ idTag: sibling }])
    const emptied = await sendsFullList(lab, [])
    await lab.showsList(emptied, [])
    await tellsKeys(lab, { SendLocalListMaxLength: '100', LocalAuthListMaxLength: '1000' })
    await fallsBack(lab, await lab.bench.registers({ switches: { localListFallback: true } }))
  },

  'UC16-FW-1': async (lab: Lab) => {
    await lab.tells('FirmwareStatusNotification', { status: 'Idle' })
    await lab.tells('DiagnosticsStatusNotification', { status: 'Idle' })
    const span = {
      ...{ from: '2026-01-01T00:00:00.000Z', to: '2026-01-02T00:00:00.000Z', retries: 2, retryIntervalSeconds: 30 },
    }
    await lab.asks(wishes.getDiagnostics(upload, span), {})
    await lab.showsNewest('transfers', { kind: 'diagnostics', state: 'nothing-to-send' })
  },

  'UC16-Res-1': async (lab: Lab) => {
    await tellsKeys(lab, { ReserveConnectorZeroSupported: 'true' })
    const { valid, sibling } = lab.bench.tokens
    const reservationId = await reserves(lab)
    const replacing = wishes.reserve({ connector: 2, token: sibling, group: family, reservationId })
    await lab.asks(replacing, accepted)
    await lab.showsItem('reservations', { reservationId, state: 'active', token: sibling, connector: 2 })
    const states = (await lab.items<{ reservationId: number; state: string }>('reservations'))
      .filter((item) => item.reservationId === reservationId)
      .filter(({ state }) => state === 'active')
    expect(states).toHaveLength(1)
    const another = await reserves(lab, { connector: 1, token: valid })
    expect(another).not.toBe(reservationId)

    await tellsKeys(lab, { ReserveConnectorZeroSupported: 'false' })
    await lab.mayNotAsk(wishes.reserve({ connector: 0, token: valid }))
    await tellsKeys(lab, { ReserveConnectorZeroSupported: 'true' })
    for (const id of [reservationId, another]) await lab.asks(wishes.cancelReservation(id), accepted)
  },

  'UC16-Trig-1': async (lab: Lab) => {
    await lab.asks(wishes.trigger('BootNotification'), { status: 'NotImplemented' }, 'rejected')
    await lab.asks(wishes.trigger('BootNotification'), accepted)
    await lab.boots()
  },

  'UC16-SC-1': async (lab: Lab) => {
    await tellsKeys(lab, {
      ...{ ChargeProfileMaxStackLevel: '2', ChargingScheduleMaxPeriods: '3', MaxChargingProfilesInstalled: '20' },
      ChargingScheduleAllowedChargingRateUnit: 'Current',
    })
    const periods = [0, 60, 120, 180].map((start) => ({ start, limit: 6 }))
    const byDefault = { purpose: 'TxDefaultProfile', kind: 'Absolute' } as const
    const wrong: [number, wishes.Profile][] = [
      [1, { purpose: 'ChargePointMaxProfile', kind: 'Absolute' }],
      [1, { purpose: 'TxProfile', kind: 'Absolute' }],
      [0, { purpose: 'TxProfile', kind: 'Absolute', transactionId: 1 }],
      [1, { ...byDefault, periods }],
      [1, { ...byDefault, stackLevel: 3 }],
      [1, { ...byDefault, unit: 'W', limit: 6_000 }],
      [1, { purpose: 'TxDefaultProfile', kind: 'Recurring' }],
    ]
    for (const [connector, profile] of wrong) await lab.mayNotAsk(wishes.setProfile(connector, profile))
    const withTransaction = { purpose: 'TxProfile', kind: 'Relative', transactionId: 1 } as const
    await lab.mayNotAsk(wishes.remoteStartWithProfile(unknownCard, 1, withTransaction))
    await lab.beats()
    expect(lab.station.problems).toEqual([])
    await tellsKeys(lab, generous)
  },

  'UC16-SC-2': async (lab: Lab) => {
    const before = await sets(lab, 1, { purpose: 'TxDefaultProfile', kind: 'Absolute' })
    for (const status of ['Rejected', 'NotSupported']) {
      const wish = wishes.setProfile(1, { purpose: 'TxDefaultProfile', kind: 'Absolute' })
      const { csChargingProfiles } = await lab.asks<{ csChargingProfiles: { chargingProfileId: number } }>(
        ...([wish, { status }, 'rejected'] as const),
      )
      await lab.showsItem('charging-profiles', { profileId: csChargingProfiles.chargingProfileId, state: 'rejected' })
    }
    await lab.showsItem('charging-profiles', { profileId: before, state: 'active' })
    await lab.asks(wishes.clearProfile({ profileId: 2_000_000_000 }), { status: 'Unknown' }, 'rejected')
    await lab.asks(wishes.compositeSchedule(0, 600, 'W'), { status: 'Rejected' }, 'rejected')
  },

  'UC16-SC-3': async (lab: Lab) => {
    if (lab.mode === 'typed') {
      // One decimal is all that a station takes, and never more than was wished.
      const exact = wishes.setProfile(1, { purpose: 'TxDefaultProfile', kind: 'Relative', limit: 6.19 })
      const sent = await lab.asks<wishes.SentProfile>({ ...exact, sent: expect.anything() }, accepted)
      expect(sent.csChargingProfiles.chargingSchedule.chargingSchedulePeriod).toMatchObject([{ limit: 6.1 }])
    }
    await sets(lab, 0, { purpose: 'ChargePointMaxProfile', kind: 'Absolute', limit: 32 })
    await sets(lab, 0, { purpose: 'TxDefaultProfile', kind: 'Recurring', recurrency: 'Daily', stackLevel: 1 })
    await sets(lab, 0, { purpose: 'TxDefaultProfile', kind: 'Recurring', recurrency: 'Weekly', stackLevel: 2 })
    await lab.asks(wishes.clearProfile({}), accepted)
  },
}
