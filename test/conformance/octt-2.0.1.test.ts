import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { until } from '../support/system.js'
import { connect, type Lab, operator, password, reconnect, runCatalogue, tokens, transactionOf } from './catalogue.js'
import { Refused, type StrictStation } from './strict-station.js'

interface WithTokenInfo {
  idTokenInfo?: { status: string }
}

const idToken = (value: string) => ({ idToken: value, type: 'ISO14443' })

async function boots(station: StrictStation): Promise<void> {
  const answer = await station.sends('BootNotification', {
    reason: 'PowerUp',
    chargingStation: { vendorName: 'Lab', model: 'Strict' },
  })
  expect(answer.status).toBe('Accepted')
  expect(answer.interval).toBeGreaterThan(0)
  await reports(station, 'Available')
}

async function reports(station: StrictStation, connectorStatus: string): Promise<void> {
  const timestamp = new Date().toISOString()
  const answer = await station.sends('StatusNotification', { timestamp, connectorStatus, evseId: 1, connectorId: 1 })
  expect(answer).toEqual({})
}

async function authorizes(station: StrictStation, token: string, ...statuses: string[]): Promise<void> {
  const answer = await station.sends<WithTokenInfo>('Authorize', { idToken: idToken(token) })
  expect(statuses).toContain(answer.idTokenInfo?.status)
}

/** Events of one transaction; seqNo counts by itself unless a step names one. */
function transactionOn(station: StrictStation) {
  const transactionId = randomUUID()
  let next = 0
  return {
    transactionId,
    async tells(
      eventType: 'Started' | 'Updated' | 'Ended',
      triggerReason: string,
      { token, info = {}, ...rest }: { token?: string; info?: object; seqNo?: number } & Record<string, unknown> = {},
    ): Promise<WithTokenInfo> {
      const seqNo = rest.seqNo ?? next
      next = seqNo + 1
      const answer = await station.sends<WithTokenInfo>('TransactionEvent', {
        eventType,
        triggerReason,
        timestamp: new Date().toISOString(),
        transactionInfo: { transactionId, ...info },
        ...(token ? { idToken: idToken(token) } : {}),
        ...rest,
        seqNo,
      })
      if (token) expect(answer.idTokenInfo?.status).toBe('Accepted')
      else expect(answer.idTokenInfo).toBeUndefined()
      return answer
    },
  }
}

const evse = { id: 1, connectorId: 1 }
const register = (value: number, context: string) => [
  { timestamp: new Date().toISOString(), sampledValue: [{ value, context, unitOfMeasure: { unit: 'Wh' } }] },
]

/** Authorized, plugged, charging. */
async function charges(station: StrictStation) {
  await authorizes(station, tokens.valid, 'Accepted')
  const transaction = transactionOn(station)
  await transaction.tells('Started', 'Authorized', {
    token: tokens.valid,
    meterValue: register(1_000, 'Transaction.Begin'),
  })
  await reports(station, 'Occupied')
  await transaction.tells('Updated', 'CablePluggedIn', { evse, info: { chargingState: 'EVConnected' } })
  await transaction.tells('Updated', 'ChargingStateChanged', { info: { chargingState: 'Charging' } })
  return transaction
}

async function upgradeStatus(lab: Lab, credentials: { username?: string; password: string }) {
  const { password, ...rest } = credentials
  const refused = await connect(lab.system, lab.station.id, password, rest).catch((cause: unknown) => cause)
  if (!(refused instanceof Refused)) throw new Error('The upgrade was not refused')
  return refused.status
}

const offlineThreshold = { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'OfflineThreshold' } }
const authorizeRemoteStart = { component: { name: 'AuthCtrlr' }, variable: { name: 'AuthorizeRemoteStart' } }
const basicAuthPassword = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
const newPassword = 'beef0000beef0000beef0000beef0000beef0000'

runCatalogue({
  'TC_A_01_CSMS Basic authentication with correct credentials': ({ station }) => boots(station),
  'TC_A_02_CSMS user name differs from the station id': async (lab) => {
    expect(await upgradeStatus(lab, { username: `${lab.station.id}-other`, password })).toBe(401)
  },
  'TC_A_03_CSMS wrong password': async (lab) => {
    expect(await upgradeStatus(lab, { password: 'wrong-password-of-some-length' })).toBe(401)
  },
  'TC_A_09_CSMS password change accepted': async (lab) => {
    await boots(lab.station)
    const asked = await operator(
      lab,
      'SetVariables',
      { setVariableData: [{ ...basicAuthPassword, attributeValue: newPassword }] },
      { setVariableResult: [{ ...basicAuthPassword, attributeStatus: 'Accepted' }] },
    )
    expect(asked.setVariableData).toMatchObject([{ attributeValue: newPassword }])
    expect(await upgradeStatus(lab, { password })).toBe(401)
    await reconnect(lab, newPassword)
    await boots(lab.station)
  },
  'TC_A_10_CSMS password change rejected': async (lab) => {
    await boots(lab.station)
    await operator(
      lab,
      'SetVariables',
      { setVariableData: [{ ...basicAuthPassword, attributeValue: newPassword }] },
      { setVariableResult: [{ ...basicAuthPassword, attributeStatus: 'Rejected' }] },
      'rejected',
    )
    await reconnect(lab, password)
    await boots(lab.station)
  },
  'TC_B_01_CSMS cold boot accepted': ({ station }) => boots(station),
  'TC_B_02_CSMS cold boot pending': async ({ system, station }) => {
    await system.api.expect('PUT', `/stations/${station.id}/registration`, { policy: 'onboarding' })
    const boot = { reason: 'PowerUp', chargingStation: { vendorName: 'Lab', model: 'Strict' } }
    expect((await station.sends('BootNotification', boot)).status).toBe('Pending')
    expect(
      await station.sendsInVain('StatusNotification', {
        timestamp: new Date().toISOString(),
        connectorStatus: 'Available',
        evseId: 1,
        connectorId: 1,
      }),
    ).toBe('SecurityError')
    await boots(station)
  },
  'TC_B_06_CSMS get one variable': async (lab) => {
    await boots(lab.station)
    const result = [{ ...offlineThreshold, attributeStatus: 'Accepted', attributeValue: '60' }]
    const asked = await operator(
      lab,
      'GetVariables',
      { getVariableData: [offlineThreshold] },
      { getVariableResult: result },
    )
    expect(asked).toEqual({ getVariableData: [offlineThreshold] })
  },
  'TC_B_07_CSMS get several variables in one request': async (lab) => {
    await boots(lab.station)
    const both = [offlineThreshold, authorizeRemoteStart]
    const asked = await operator(
      lab,
      'GetVariables',
      { getVariableData: both },
      { getVariableResult: both.map((each) => ({ ...each, attributeStatus: 'Accepted', attributeValue: '1' })) },
    )
    expect(asked.getVariableData).toHaveLength(2)
  },
  'TC_B_08_CSMS respect ItemsPerMessage for GetVariables': async (lab) => {
    await boots(lab.station)
    const limit = (name: string, instance: string) => ({
      component: { name: 'DeviceDataCtrlr' },
      variable: { name, instance },
    })
    const told = (asked: object[]) =>
      asked.map((each) => ({ ...each, attributeStatus: 'Accepted', attributeValue: '4' }))
    const itemsPerMessage = limit('ItemsPerMessage', 'GetVariables')
    await operator(
      lab,
      'GetVariables',
      { getVariableData: [itemsPerMessage] },
      { getVariableResult: told([itemsPerMessage]) },
    )
    await until('the limit is known', async () => {
      const { items } = await lab.system.api.get<{ items: unknown[] }>(`/stations/${lab.station.id}/variables`)
      return items.length === 1
    })
    const five = [
      limit('ItemsPerMessage', 'GetReport'),
      itemsPerMessage,
      limit('BytesPerMessage', 'GetReport'),
      limit('BytesPerMessage', 'GetVariables'),
      authorizeRemoteStart,
    ]
    const sent = lab.system.api.command(lab.station.id, 'GetVariables', { getVariableData: five })
    const asked: object[] = []
    for (const count of [4, 1]) {
      const part = await lab.station.isAsked<{ getVariableData: object[] }>('GetVariables', {
        getVariableResult: told(five.slice(asked.length, asked.length + count)),
      })
      expect(part.getVariableData).toHaveLength(count)
      asked.push(...part.getVariableData)
    }
    expect(asked).toEqual(five)
    const { body } = await sent
    expect(body).toMatchObject({ status: 'accepted', response: { getVariableResult: told(five) } })
  },
  'TC_B_09_CSMS set one variable': async (lab) => {
    await boots(lab.station)
    const asked = await operator(
      lab,
      'SetVariables',
      { setVariableData: [{ ...offlineThreshold, attributeValue: '123' }] },
      { setVariableResult: [{ ...offlineThreshold, attributeStatus: 'Accepted' }] },
    )
    expect(asked).toEqual({ setVariableData: [{ ...offlineThreshold, attributeValue: '123' }] })
  },
  'TC_B_12_CSMS base report ConfigurationInventory': async (lab) => {
    await boots(lab.station)
    const asked = await operator(lab, 'GetBaseReport', { reportBase: 'ConfigurationInventory' }, { status: 'Accepted' })
    for (const [seqNo, each] of [offlineThreshold, authorizeRemoteStart].entries()) {
      await lab.station.sends('NotifyReport', {
        requestId: asked.requestId,
        generatedAt: new Date().toISOString(),
        seqNo,
        tbc: seqNo === 0,
        reportData: [{ ...each, variableAttribute: [{ value: '60' }] }],
      })
    }
    await expect
      .poll(async () => (await lab.system.api.get<{ items: [] }>(`/stations/${lab.station.id}/variables`)).items)
      .toHaveLength(2)
  },
  'TC_B_20_CSMS reset of an idle station': async (lab) => {
    await boots(lab.station)
    expect(await operator(lab, 'Reset', { type: 'OnIdle' }, { status: 'Accepted' })).toEqual({ type: 'OnIdle' })
    await boots(lab.station)
  },
  'TC_C_02_CSMS unknown token': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.unknown, 'Invalid', 'Unknown')
  },
  'TC_C_06_CSMS blocked token': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.blocked, 'Blocked', 'Invalid')
  },
  'TC_C_07_CSMS expired token': async ({ station }) => {
    await boots(station)
    await authorizes(station, tokens.expired, 'Expired', 'Invalid')
  },
  'TC_C_37_CSMS clear cache': async (lab) => {
    await boots(lab.station)
    await operator(lab, 'ClearCache', {}, { status: 'Accepted' })
  },
  'TC_E_04_CSMS token first': async (lab) => {
    await boots(lab.station)
    await charges(lab.station)
    expect(await transactionOf(lab)).toMatchObject({ status: 'active' })
  },
  'TC_E_07_CSMS stopped locally': async (lab) => {
    await boots(lab.station)
    const transaction = await charges(lab.station)
    await transaction.tells('Ended', 'StopAuthorized', {
      info: { stoppedReason: 'Local' },
      meterValue: register(3_500, 'Transaction.End'),
    })
    expect(await transactionOf(lab)).toMatchObject({ status: 'ended', energyWh: 2_500, stoppedReason: 'Local' })
  },
  'TC_E_09_CSMS start at EVConnected': async (lab) => {
    await boots(lab.station)
    await reports(lab.station, 'Occupied')
    await transactionOn(lab.station).tells('Started', 'CablePluggedIn', {
      evse,
      info: { chargingState: 'EVConnected' },
    })
    expect(await transactionOf(lab)).toMatchObject({ status: 'active' })
  },
  'TC_E_31_CSMS ended transaction whose events come late': async (lab) => {
    await boots(lab.station)
    const transaction = await charges(lab.station)
    await reconnect(lab, password)
    const late = transactionOn(lab.station)
    const tells = (type: 'Updated' | 'Ended', trigger: string, seqNo: number, chargingState: string) =>
      late.tells(type, trigger, {
        seqNo,
        offline: true,
        info: { transactionId: transaction.transactionId, chargingState },
      })
    await reports(lab.station, 'Available')
    await tells('Ended', 'EVCommunicationLost', 5, 'Idle')
    await operator(
      lab,
      'GetTransactionStatus',
      { transactionId: transaction.transactionId },
      { ongoingIndicator: false, messagesInQueue: true },
    )
    await tells('Updated', 'StopAuthorized', 3, 'Charging')
    await tells('Updated', 'ChargingStateChanged', 4, 'EVConnected')
    expect(await transactionOf(lab)).toMatchObject({ status: 'ended' })
  },
  'TC_F_03_CSMS remote start first, no authorize': async (lab) => {
    await boots(lab.station)
    const request = { idToken: idToken(tokens.valid), evseId: 1 }
    const asked = await operator(lab, 'RequestStartTransaction', request, { status: 'Accepted' })
    expect(asked).toMatchObject(request)
    const transaction = transactionOn(lab.station)
    await transaction.tells('Started', 'RemoteStart', {
      token: tokens.valid,
      evse,
      info: { remoteStartId: asked.remoteStartId },
    })
  },
  'TC_F_06_CSMS unlock connector': async (lab) => {
    await boots(lab.station)
    const request = { evseId: 1, connectorId: 1 }
    expect(await operator(lab, 'UnlockConnector', request, { status: 'Unlocked' })).toEqual(request)
  },
  'TC_F_20_CSMS trigger Heartbeat': async (lab) => {
    await boots(lab.station)
    await operator(lab, 'TriggerMessage', { requestedMessage: 'Heartbeat' }, { status: 'Accepted' })
    expect(await lab.station.sends('Heartbeat', {})).toHaveProperty('currentTime')
  },
  'TC_J_01_CSMS clock-aligned readings without a transaction': async ({ station }) => {
    await boots(station)
    for (const evseId of [0, 1, 0, 1, 0, 1]) {
      expect(await station.sends('MeterValues', { evseId, meterValue: register(5_000, 'Sample.Clock') })).toEqual({})
    }
  },
  'TC_P_02_CSMS DataTransfer of an unknown vendor': async ({ station }) => {
    await boots(station)
    const { status } = await station.sends('DataTransfer', { vendorId: 'com.example', messageId: 'Hello' })
    expect(['UnknownVendorId', 'UnknownMessageId', 'Rejected']).toContain(status)
  },
})
