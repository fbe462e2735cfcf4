import { validate } from '@busbar/ocpp'
import { newId } from '@busbar/store'
import { expect } from 'vitest'
import { startTestApi } from '../testing.js'

export const running = '00000000-0000-7000-8000-000000000001'
export const over = '00000000-0000-7000-8000-000000000002'
export const elsewhere = '00000000-0000-7000-8000-000000000003'

const limit = { periods: [{ start: 0, limit: 6 }], unit: 'A' as const, stackLevel: 0 }
export const txDefault = { ...limit, purpose: 'TxDefaultProfile', kind: 'Absolute' }
export const txProfile = { ...limit, purpose: 'TxProfile', kind: 'Relative', transaction: running }
export const future = '2999-01-01T00:00:00Z'

export type ChargingApi = Awaited<ReturnType<typeof startChargingApi>>

/** An API with two stations of 1.6, CS-1 and CS-2, and three transactions; what is asked for goes to CS-1. */
export async function startChargingApi() {
  const api = await startTestApi()
  const { prisma } = api.database
  for (const id of ['CS-1', 'CS-2']) {
    await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
    await prisma.stationState.create({ data: { stationId: id, protocol: 'ocpp1.6' } })
  }
  await prisma.chargingTransaction.createMany({
    data: [
      transactionRow(running, { stationId: 'CS-1', ocppId: '4711' }),
      transactionRow(over, {
        stationId: 'CS-1',
        ocppId: '4712',
        endedAt: new Date('2026-03-01T11:00:00Z'),
        status: 'ended',
      }),
      transactionRow(elsewhere, { stationId: 'CS-2', ocppId: '4713' }),
    ],
  })
  await prisma.transactionAlias.createMany({
    data: [
      { stationId: 'CS-1', ocppId: '4711', transactionId: running },
      { stationId: 'CS-1', ocppId: '4712', transactionId: over },
      { stationId: 'CS-2', ocppId: '4713', transactionId: elsewhere },
    ],
  })

  const post = (path: string, payload: object) =>
    api.request('operator', { method: 'POST', url: `/v1/stations/CS-1/${path}`, payload })

  /** What went to the station, checked against the schema of the standard. */
  async function sent(response: { json(): { id: string } }): Promise<Record<string, unknown>> {
    const { json } = await api.request('viewer', { url: `/v1/commands/${response.json().id}` })
    const { action, payload } = json()
    // The commands service draws the id that is left out.
    const name = action === 'RemoteStartTransaction' ? 'chargingProfile' : 'csChargingProfiles'
    const whole = payload[name] ? { ...payload, [name]: { chargingProfileId: 1, ...payload[name] } } : payload
    expect(validate('ocpp1.6', action, 'request', whole, 'outbound')).toEqual([])
    return payload
  }

  async function setProfile(connector: number, profile: object) {
    const response = await post('charging-profiles', { connector, profile })
    expect(response.json()).toMatchObject({ action: 'SetChargingProfile' })
    const { connectorId, csChargingProfiles } = await sent(response)
    return { connectorId, profile: csChargingProfiles, warnings: response.json().warnings }
  }

  async function learn(key: string, value: string) {
    await prisma.variable.create({
      data: {
        ...{ stationId: 'CS-1', component: '', componentKey: '', variable: key, variableKey: key.toLowerCase(), value },
        ...{ attributeType: 'Actual', updatedAt: new Date() },
      },
    })
  }

  async function install(
    ...profiles: { connectorId: number; id: number; level: number; validTo?: string; status?: string }[]
  ) {
    await prisma.chargingProfile.createMany({
      data: profiles.map(({ connectorId, id, level, validTo, status = 'active' }) => ({
        ...{ commandId: newId(), stationId: 'CS-1', action: 'SetChargingProfile', answer: 'accepted', status },
        ...{ requestedBy: 'key', requestedAt: new Date(), settledAt: status === 'active' ? null : new Date() },
        sent: {
          connectorId,
          csChargingProfiles: {
            ...{ chargingProfileId: id, stackLevel: level, chargingProfilePurpose: 'TxDefaultProfile' },
            ...(validTo && { validTo }),
          },
        },
      })),
    })
  }

  async function quirks(): Promise<number> {
    const counter = api.metrics.getSingleMetric('busbar_quirks_total')
    return ((await counter?.get())?.values ?? []).reduce((sum, { value }) => sum + value, 0)
  }

  const switchOn = (name: string) =>
    prisma.station.update({ where: { id: 'CS-1' }, data: { switches: { [name]: true } } })

  /** Back to stations that have said nothing, hold nothing, and are like any other. */
  async function forget() {
    await prisma.variable.deleteMany()
    await prisma.chargingProfile.deleteMany()
    await prisma.station.updateMany({ data: { switches: {} } })
  }

  return { ...api, post, sent, setProfile, learn, install, quirks, switchOn, forget }
}

function transactionRow(id: string, rest: { stationId: string; ocppId: string; endedAt?: Date; status?: string }) {
  const at = new Date('2026-03-01T10:00:00Z')
  const row = { id, naturalKey: id, protocol: 'ocpp1.6', evseNumber: 1, connectorNumber: 1, startedAt: at }
  return { ...row, status: 'active', createdAt: at, updatedAt: at, ...rest }
}
