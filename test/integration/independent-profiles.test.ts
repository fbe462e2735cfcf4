import { randomUUID } from 'node:crypto'
import type { RPCClient } from 'ocpp-rpc'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateRequest, TestAuthority } from '../support/certificates.js'
import { independentClient, password, setUps } from '../support/independent-client.js'
import type { System } from '../support/system.js'

const token = 'RPC-TOKEN'
const now = () => new Date().toISOString()
const accepted = { status: 'Accepted' }
const root = await TestAuthority.create()
const hash = { hashAlgorithm: 'SHA256', issuerNameHash: 'aa', issuerKeyHash: 'bb', serialNumber: '01' }

/** What the operator wants, what the station is asked, what it answers, and what it says of itself afterwards. */
interface Step {
  /** For the typed endpoint: Busbar builds the message. */
  wish: { path: string; body: object }
  action: string
  asked: object
  answer: object
  verdict?: 'accepted' | 'rejected'
  says?: [action: string, payload: object][] | ((asked: { requestId: number }) => [action: string, payload: object][])
}

const profile = {
  purpose: 'TxDefaultProfile',
  kind: 'Absolute',
  stackLevel: 1,
  unit: 'A',
  periods: [{ start: 0, limit: 16 }],
}
const firmware = { location: 'https://files.example/firmware.bin' }
const signed = { signingCertificate: 'PEM', signature: 'AAAA' }

const sessions: Record<string, Step[]> = {
  Core: [
    {
      wish: { path: 'configuration/read', body: { keys: ['HeartbeatInterval', 'Nonsense'] } },
      action: 'GetConfiguration',
      asked: { key: ['HeartbeatInterval', 'Nonsense'] },
      answer: {
        configurationKey: [{ key: 'HeartbeatInterval', readonly: false, value: '300' }],
        unknownKey: ['Nonsense'],
      },
    },
    {
      wish: { path: 'configuration/change', body: { key: 'HeartbeatInterval', value: '60' } },
      action: 'ChangeConfiguration',
      asked: { key: 'HeartbeatInterval', value: '60' },
      answer: { status: 'RebootRequired' },
    },
    {
      wish: { path: 'availability', body: { connector: 1, operative: false } },
      action: 'ChangeAvailability',
      asked: { connectorId: 1, type: 'Inoperative' },
      answer: { status: 'Scheduled' },
      says: [['StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Unavailable' }]],
    },
    {
      wish: { path: 'remote-start', body: { token, connector: 1 } },
      action: 'RemoteStartTransaction',
      asked: { connectorId: 1, idTag: token },
      answer: accepted,
    },
    { wish: { path: 'clear-cache', body: {} }, action: 'ClearCache', asked: {}, answer: accepted },
    {
      wish: { path: 'data-transfer', body: { vendorId: 'com.example', messageId: 'm', data: 'd' } },
      action: 'DataTransfer',
      asked: { vendorId: 'com.example', messageId: 'm', data: 'd' },
      answer: { status: 'UnknownMessageId' },
      verdict: 'rejected',
      says: [['DataTransfer', { vendorId: 'com.example', data: 'x' }]],
    },
    {
      wish: { path: 'unlock', body: { connector: 1 } },
      action: 'UnlockConnector',
      asked: { connectorId: 1 },
      answer: { status: 'Unlocked' },
    },
    {
      wish: { path: 'reset', body: { type: 'soft' } },
      action: 'Reset',
      asked: { type: 'Soft' },
      answer: accepted,
      says: [['BootNotification', { chargePointVendor: 'ocpp-rpc', chargePointModel: 'client' }]],
    },
  ],
  'Firmware Management': [
    {
      wish: { path: 'firmware/update', body: { ...firmware, retries: 2, retryIntervalSeconds: 60 } },
      action: 'UpdateFirmware',
      asked: { ...firmware, retries: 2, retryInterval: 60 },
      answer: {},
      says: ['Downloading', 'Downloaded', 'Installing', 'Installed'].map((status) => [
        'FirmwareStatusNotification',
        { status },
      ]),
    },
    {
      wish: { path: 'diagnostics', body: { location: 'ftp://files.example/', from: '2026-01-01T00:00:00.000Z' } },
      action: 'GetDiagnostics',
      asked: { location: 'ftp://files.example/', startTime: '2026-01-01T00:00:00.000Z' },
      answer: { fileName: 'diagnostics.zip' },
      says: ['Uploading', 'Uploaded', 'Idle'].map((status) => ['DiagnosticsStatusNotification', { status }]),
    },
  ],
  'Smart Charging': [
    {
      wish: { path: 'charging-profiles', body: { connector: 1, profile } },
      action: 'SetChargingProfile',
      asked: {
        connectorId: 1,
        csChargingProfiles: {
          stackLevel: 1,
          chargingProfilePurpose: 'TxDefaultProfile',
          chargingProfileKind: 'Absolute',
          chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 16 }] },
        },
      },
      answer: accepted,
    },
    {
      wish: { path: 'composite-schedule/read', body: { connector: 1, durationSeconds: 600, unit: 'A' } },
      action: 'GetCompositeSchedule',
      asked: { connectorId: 1, duration: 600, chargingRateUnit: 'A' },
      answer: {
        status: 'Accepted',
        connectorId: 1,
        scheduleStart: now(),
        chargingSchedule: {
          duration: 600,
          chargingRateUnit: 'A',
          chargingSchedulePeriod: [{ startPeriod: 0, limit: 8.1 }],
        },
      },
    },
    {
      wish: { path: 'charging-profiles/clear', body: { purpose: 'TxDefaultProfile', stackLevel: 1 } },
      action: 'ClearChargingProfile',
      asked: { chargingProfilePurpose: 'TxDefaultProfile', stackLevel: 1 },
      answer: { status: 'Unknown' },
      verdict: 'rejected',
    },
  ],
  Reservation: [
    {
      wish: { path: 'reservations', body: { connector: 1, token, minutes: 15, reservationId: 7 } },
      action: 'ReserveNow',
      asked: { connectorId: 1, idTag: token, reservationId: 7 },
      answer: accepted,
      says: [['StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Reserved' }]],
    },
    {
      wish: { path: 'reservations/cancel', body: { reservationId: 7 } },
      action: 'CancelReservation',
      asked: { reservationId: 7 },
      answer: accepted,
      says: [['StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' }]],
    },
    {
      wish: { path: 'reservations', body: { connector: 0, token, minutes: 15 } },
      action: 'ReserveNow',
      asked: { connectorId: 0, idTag: token },
      answer: { status: 'Occupied' },
      verdict: 'rejected',
    },
  ],
  'Local Auth List Management': [
    {
      wish: { path: 'local-list/send', body: { mode: 'full', tokens: [token] } },
      action: 'SendLocalList',
      asked: {
        listVersion: 1,
        updateType: 'Full',
        localAuthorizationList: [{ idTag: token, idTagInfo: { status: 'Accepted' } }],
      },
      answer: accepted,
    },
    {
      wish: { path: 'local-list/version', body: {} },
      action: 'GetLocalListVersion',
      asked: {},
      answer: { listVersion: 1 },
    },
    {
      wish: { path: 'local-list/send', body: { mode: 'differential', remove: [token] } },
      action: 'SendLocalList',
      asked: { listVersion: 2, updateType: 'Differential', localAuthorizationList: [{ idTag: token }] },
      answer: { status: 'VersionMismatch' },
      verdict: 'rejected',
    },
  ],
  'Remote Trigger': [
    {
      wish: { path: 'trigger', body: { message: 'StatusNotification', connector: 1 } },
      action: 'TriggerMessage',
      asked: { requestedMessage: 'StatusNotification', connectorId: 1 },
      answer: accepted,
      says: [['StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' }]],
    },
    {
      wish: { path: 'trigger', body: { message: 'MeterValues' } },
      action: 'TriggerMessage',
      asked: { requestedMessage: 'MeterValues' },
      answer: { status: 'NotImplemented' },
      verdict: 'rejected',
    },
  ],
  'the security extension': [
    {
      wish: { path: 'trigger', body: { message: 'LogStatusNotification' } },
      action: 'ExtendedTriggerMessage',
      asked: { requestedMessage: 'LogStatusNotification' },
      answer: accepted,
      says: [['LogStatusNotification', { status: 'Idle' }]],
    },
    {
      wish: { path: 'log', body: { type: 'security', location: 'https://files.example/log' } },
      action: 'GetLog',
      asked: { logType: 'SecurityLog', log: { remoteLocation: 'https://files.example/log' } },
      answer: { status: 'Accepted', filename: 'security.log' },
      says: ({ requestId }) =>
        ['Uploading', 'Uploaded'].map((status) => ['LogStatusNotification', { status, requestId }]),
    },
    {
      wish: { path: 'certificates/install', body: { type: 'CentralSystemRoot', certificate: root.certificate } },
      action: 'InstallCertificate',
      asked: { certificateType: 'CentralSystemRootCertificate', certificate: expect.stringContaining('BEGIN') },
      answer: accepted,
    },
    {
      wish: { path: 'certificates/read', body: { type: 'CentralSystemRoot' } },
      action: 'GetInstalledCertificateIds',
      asked: { certificateType: 'CentralSystemRootCertificate' },
      answer: { status: 'Accepted', certificateHashData: [hash] },
    },
    {
      wish: { path: 'certificates/delete', body: { hashData: hash } },
      action: 'DeleteCertificate',
      asked: { certificateHashData: hash },
      answer: { status: 'NotFound' },
      verdict: 'rejected',
      says: [['SecurityEventNotification', { type: 'FirmwareUpdated', timestamp: now() }]],
    },
    {
      wish: { path: 'firmware/update-signed', body: { ...firmware, ...signed } },
      action: 'SignedUpdateFirmware',
      asked: { firmware: { ...firmware, ...signed } },
      answer: accepted,
      says: ({ requestId }) =>
        ['Downloading', 'SignatureVerified', 'Installing', 'Installed'].map((status) => [
          'SignedFirmwareStatusNotification',
          { status, requestId },
        ]),
    },
  ],
}

describe.each(setUps)('an independent client on OCPP 1.6, $name', ({ start }) => {
  let system: System
  beforeAll(async () => {
    system = await start()
    await system.api.registerToken(token)
  })
  afterAll(() => system?.stop())

  async function boot(gateway: number): Promise<{ id: string; station: RPCClient }> {
    const id = `RPC-${randomUUID().slice(0, 8)}`
    await system.api.registerStation(id, password)
    const station = independentClient(system, gateway, id, 'ocpp1.6')
    await station.connect()
    await station.call('BootNotification', { chargePointVendor: 'ocpp-rpc', chargePointModel: 'client' })
    for (const connectorId of [0, 1]) {
      await station.call('StatusNotification', { connectorId, errorCode: 'NoError', status: 'Available' })
    }
    return { id, station }
  }

  test.each(Object.entries(sessions))('a session of %s', async (_profile, steps) => {
    const { id, station } = await boot(steps.length)
    for (const step of steps) {
      let seen: unknown
      station.handle(step.action, async ({ params }) => {
        seen = params
        return step.answer
      })
      const { path, body: wished } = step.wish
      const { status, body } = await system.api.request('POST', `/stations/${id}/${path}?wait=20`, wished)
      expect({ action: step.action, status, body, seen }).toMatchObject({
        action: step.action,
        status: 200,
        body: { status: step.verdict ?? 'accepted', response: step.answer },
        seen: step.asked,
      })
      // Its strict mode refuses an answer of ours that does not fit.
      const says = typeof step.says === 'function' ? step.says(seen as { requestId: number }) : (step.says ?? [])
      for (const [action, payload] of says) await station.call(action, payload)
    }
    await station.close()
  })

  test('has its certificate renewed: triggered, asked for, signed', async () => {
    await system.api.expect('POST', '/certificate-authorities', { name: 'Fleet', algorithm: 'ec-p256' })
    const { id, station } = await boot(0)
    const { csr } = await certificateRequest({ commonName: id })
    const signed = new Promise((resolve) => {
      station.handle('CertificateSigned', async ({ params }) => {
        resolve(params)
        return accepted
      })
    })
    station.handle('ExtendedTriggerMessage', async () => accepted)
    const verdict = await system.api.request('POST', `/stations/${id}/certificates/renew?wait=20`, {})
    expect(verdict).toMatchObject({ status: 200, body: { status: 'accepted' } })
    expect(await station.call('SignCertificate', { csr })).toEqual(accepted)

    expect(await signed).toEqual({ certificateChain: expect.stringMatching(/^-----BEGIN CERTIFICATE-----/) })
    await station.close()
  })

  test('is commanded the moment it has connected for the first time', async () => {
    const id = `RPC-${randomUUID().slice(0, 8)}`
    await system.api.registerStation(id, password, { acceptWithoutBoot: true })
    const station = independentClient(system, 0, id, 'ocpp1.6')
    station.handle('ClearCache', async () => accepted)
    await station.connect()
    const verdict = await system.api.command(id, 'ClearCache', {})

    expect(verdict).toMatchObject({ status: 200, body: { status: 'accepted' } })
    await station.close()
  })
})
