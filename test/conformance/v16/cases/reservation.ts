import { expect } from 'vitest'
import { family } from '../bench.js'
import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

/** Steps 1 to 4 of most cases. @returns the number of the reservation */
export async function reserves(lab: Lab, reserve: Partial<wishes.Reserve> = {}): Promise<number> {
  const wish = wishes.reserve({ connector: 1, token: lab.bench.tokens.valid, ...reserve })
  const { reservationId } = await lab.asks<{ reservationId: number }>(
    wish,
    { status: 'Accepted' },
    'accepted',
    (sent) => lab.showsItem('reservations', { reservationId: sent.reservationId, state: 'requested' }),
  )
  await lab.showsItem('reservations', { reservationId, state: 'active' })
  await lab.reports('Reserved', reserve.connector ?? 1)
  return reservationId
}

const isRefused = (status: string) => async (lab: Lab) => {
  const wish = wishes.reserve({ connector: 1, token: lab.bench.tokens.valid })
  const { reservationId } = await lab.asks<{ reservationId: number }>(wish, { status }, 'rejected')
  await lab.showsItem('reservations', { reservationId, state: 'rejected', reason: status })
}

/** Reservation. */
export const reservation = {
  TC_046_CSMS: async (lab: Lab) => {
    const reservationId = await reserves(lab)
    await lab.charges({ reservationId })
    await lab.showsItem('reservations', { reservationId, state: 'used' })
  },

  TC_047_CSMS: async (lab: Lab) => {
    const seconds = 2
    const reservationId = await reserves(lab, { minutes: seconds / 60 })
    await lab.showsItem('reservations', { reservationId, state: 'expired' })
    await lab.reports('Available')
    await lab.showsConnector(1, { status: 'Available' })
  },

  TC_048_1_CSMS: isRefused('Faulted'),

  TC_048_2_CSMS: async (lab: Lab) => {
    await lab.reports('Preparing')
    await lab.showsConnector(1, { status: 'Preparing' })
    await isRefused('Occupied')(lab)
  },

  TC_048_3_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.availability(1, false), { status: 'Accepted' })
    await lab.reports('Unavailable')
    await lab.showsConnector(1, { status: 'Unavailable' })
    await isRefused('Unavailable')(lab)
    await lab.asks(wishes.availability(1, true), { status: 'Accepted' })
    await lab.reports('Available')
  },

  TC_048_4_CSMS: isRefused('Rejected'),

  TC_049_CSMS: async (lab: Lab) => {
    const reservationId = await reserves(lab, { connector: 0 })
    await lab.showsItem('reservations', { reservationId, connector: 0, state: 'active' })
    await lab.asks(wishes.cancelReservation(reservationId), { status: 'Accepted' })
  },

  TC_051_CSMS: async (lab: Lab) => {
    const reservationId = await reserves(lab)
    await lab.asks(wishes.cancelReservation(reservationId), { status: 'Accepted' })
    await lab.reports('Available')
    await lab.showsItem('reservations', { reservationId, state: 'cancelled' })
  },

  TC_052_CSMS: async (lab: Lab) => {
    const reservationId = await reserves(lab)
    // 2024-04 has the operator name another one, 2025 the same.
    for (const id of [wishes.nextId(), reservationId]) {
      await lab.asks(wishes.cancelReservation(id), { status: 'Rejected' }, 'rejected')
    }
    await lab.showsItem('reservations', { reservationId, state: 'active' })
  },

  TC_053_CSMS: async (lab: Lab) => {
    const { parent, sibling } = lab.bench.tokens
    const reservationId = await reserves(lab, { token: parent, group: family })
    const transactionId = await lab.charges({ idTag: parent, reservationId })
    await lab.showsItem('reservations', { reservationId, state: 'used' })
    expect(await lab.authorizes(sibling, 'Accepted')).toMatchObject({ parentIdTag: family })
    await lab.stops(transactionId, 'Local', { idTag: sibling })
    await lab.reports('Finishing')
    expect(await lab.transaction(transactionId)).toMatchObject({ status: 'ended' })
  },
}
