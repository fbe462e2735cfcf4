import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createApiKey } from '@busbar/api'
import { serviceNames } from '@busbar/backbone'
import { StationSocket } from '@busbar/simulator'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiClient } from '../../../test/support/api-client.js'
import { certificateRequest } from '../../../test/support/certificates.js'
import { until } from '../../../test/support/system.js'
import { parseConfig } from './config.js'
import { openPlatform, type Platform } from './platform.js'
import { type Running, startApiRole, startGatewayRole, startWorkerRole } from './roles.js'

/*
 * All that services do of themselves, they do when a job of theirs falls due. So their time is the test's: their clock is
 * moved to the next job, which is then handed out. Gateway and stations live in real time. What a service wants sent is a
 * row of table command whether or not it still goes out (days after the log's own clock it does not); the gateway sends
 * nothing that is no such row.
 */

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const allKinds = [
  'alert-look',
  'follow-up',
  'issue-certificate',
  'local-list-sync',
  'profile-due',
  'renew-certificate',
  'reservation-expiry',
  'superseded',
  'verdict',
]

let store: TestDatabase
let folder: string
let platform: Platform
let running: Running[]
let api: ApiClient
let url: string
let aheadMs = 0
const sockets = new Map<string, StationSocket>()
const clock = () => new Date(Date.now() + aheadMs)

beforeAll(async () => {
  store = await createTestDatabase()
  folder = await mkdtemp(path.join(tmpdir(), 'busbar-idle-'))
  const config = parseConfig({
    BUSBAR_DATABASE_URL: store.url,
    BUSBAR_DEV_SERVICES: 'true',
    BUSBAR_DATA_DIR: folder,
    BUSBAR_HOST: '127.0.0.1',
    BUSBAR_GATEWAY_PORT: '0',
    BUSBAR_API_PORT: '0',
    BUSBAR_PARTITIONS: '4',
    BUSBAR_SECRET: 'a secret of forty characters for the tests',
    // More than the test lasts: who is silent is looked at each 5 minutes, and the test goes from job to job.
    BUSBAR_ALERT_SILENT_INTERVALS: '2000',
  })
  platform = { ...(await openPlatform(config, pino({ level: 'silent' }), new Registry())), clock } as Platform
  const workers = await startWorkerRole(platform, serviceNames)
  const gateway = await startGatewayRole(platform)
  const apiRole = await startApiRole(platform)
  running = [...workers, gateway, apiRole]
  const { key } = await createApiKey(store.database, { name: 'operator', role: 'admin' })
  api = new ApiClient(`http://127.0.0.1:${apiRole.port}`, key)
  url = `ws://127.0.0.1:${gateway.port}/ocpp`
  await api.registerToken('TOKEN-1')
  await api.registerToken('BLOCKED', { status: 'blocked' })
})
afterAll(async () => {
  for (const socket of sockets.values()) socket.close()
  for (const part of running?.toReversed() ?? []) await part.stop()
  await platform?.close()
  await store?.drop()
  if (folder) await rm(folder, { recursive: true })
})

const query = <Row>(text: string, values: unknown[] = []) => store.database.query<Row>({ text, values })
const later = (ms: number) => new Date(Date.now() + ms).toISOString()

/** Agrees to all it is asked for. */
async function open(id: string): Promise<StationSocket> {
  const socket = await StationSocket.open({ url, id, password, protocols: ['ocpp1.6'] })
  socket.otherwise(() => () => ({ status: 'Accepted' }))
  sockets.set(id, socket)
  return socket
}

async function connect(id: string, station: object = {}): Promise<StationSocket> {
  await api.registerStation(id, password, station)
  const socket = await open(id)
  await socket.call('BootNotification', { chargePointVendor: 'Busbar', chargePointModel: 'Idle' })
  for (const connectorId of [0, 1]) {
    await socket.call('StatusNotification', { connectorId, errorCode: 'NoError', status: 'Available' })
  }
  return socket
}

async function command(id: string, action: string, payload: object, verdict = 'accepted'): Promise<void> {
  expect((await api.command(id, action, payload)).body).toMatchObject({ status: verdict })
}

const set = (id: string, switches: object) => api.expect('PATCH', `/stations/${id}`, { switches })

/** Every service has read its topics to their ends, and sent on all that it wrote. */
async function drained(): Promise<void> {
  await until('the log is read', async () => {
    const [row] = await query<{ behind: number }>(`
      SELECT (SELECT count(*) FROM outbox)::int + count(*)::int AS behind
      FROM consumer_offset o JOIN log_partition p USING (topic, partition) WHERE o.next < p.next`)
    return row?.behind === 0
  })
}

const dueRecords = async () =>
  query<{ kind: string }>(`
    SELECT convert_from(value, 'UTF8')::jsonb->>'kind' AS kind FROM log_record WHERE headers->>'type' = 'due'`)

/** Goes from job to job. */
async function pass(ms: number): Promise<void> {
  const end = Date.now() + aheadMs + ms
  for (;;) {
    const [job] = await query<{ dueAt: Date | null }>('SELECT min(due_at) AS "dueAt" FROM job')
    const dueAt = job?.dueAt?.getTime() ?? Number.POSITIVE_INFINITY
    if (dueAt > end) break
    aheadMs = Math.max(aheadMs, dueAt - Date.now())
    const before = (await dueRecords()).length
    const due = await query('UPDATE job SET due_at = now() WHERE due_at <= $1 RETURNING key', [clock()])
    const wake = { service: 'stations', kind: '', key: '', stationId: '', dueAt: new Date() } as const
    await platform.backbone.jobs.schedule([wake])
    await until('the jobs are handed out', async () => (await dueRecords()).length >= before + due.length)
    await drained()
  }
  aheadMs = end - Date.now()
}

/** Every CALL that anybody but the operator wanted, whether or not its station was there. */
const unasked = () =>
  query<{ id: string; stationId: string; action: string }>(
    `SELECT id, station_id AS "stationId", action FROM command WHERE requested_by IN ('${serviceNames.join("', '")}')
     ORDER BY station_id, action`,
  )
const isAsked = ({ receivedCalls }: StationSocket, call: string) => receivedCalls.some(({ action }) => action === call)
const callsSeen = () =>
  [...sockets].flatMap(([id, { receivedCalls }]) => receivedCalls.map(({ action }) => `${id}: ${action}`))

/** A station of every sort: something is open, about to end or out of step at each. */
const sorts: Record<string, () => Promise<unknown>> = {
  'nothing but a boot': () => connect('BOOTED'),
  'registered and never seen': () => api.registerStation('UNSEEN', password),
  'connected, without a boot': async () => {
    await api.registerStation('SILENT', password)
    await open('SILENT')
  },
  'pending and rejected': async () => {
    await connect('PENDING', { registrationPolicy: 'pending' })
    await connect('REJECTED', { registrationPolicy: 'reject' })
  },
  gone: async () => (await connect('GONE')).close(),
  'with a reservation that expires': async () => {
    await connect('RESERVED')
    const reservation = { connectorId: 1, expiryDate: later(10 * minuteMs), idTag: 'TOKEN-1', reservationId: 1 }
    await command('RESERVED', 'ReserveNow', reservation)
  },
  'with a transaction, and one that was refused': async () => {
    const socket = await connect('CHARGING')
    const start = { connectorId: 1, meterStart: 0, timestamp: later(0) }
    await socket.call('StartTransaction', { ...start, idTag: 'TOKEN-1' })
    await socket.call('StartTransaction', { ...start, connectorId: 2, idTag: 'BLOCKED' })
  },
  'whose profiles end, or wait for a transaction': async () => {
    await connect('LIMITED')
    const chargingProfile = {
      chargingProfileId: 1,
      stackLevel: 0,
      chargingProfilePurpose: 'TxDefaultProfile',
      chargingProfileKind: 'Absolute',
      validTo: later(20 * minuteMs),
      chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 16 }] },
    }
    await command('LIMITED', 'SetChargingProfile', { connectorId: 0, csChargingProfiles: chargingProfile })
    await command('LIMITED', 'RemoteStartTransaction', {
      idTag: 'TOKEN-1',
      connectorId: 1,
      chargingProfile: { ...chargingProfile, chargingProfileId: 2, chargingProfilePurpose: 'TxProfile' },
    })
  },
  'whose list is out of step, refused, or was to be kept in step until now': async () => {
    const list = (updateType: string, listVersion: number) => ({
      updateType,
      listVersion,
      localAuthorizationList: [{ idTag: 'TOKEN-1', idTagInfo: { status: 'Accepted' } }],
    })
    await connect('LISTED')
    await command('LISTED', 'SendLocalList', list('Full', 1))
    const refusing = await connect('LIST-REFUSED')
    await command('LIST-REFUSED', 'SendLocalList', list('Full', 1))
    refusing.on('SendLocalList', () => ({ status: 'VersionMismatch' }))
    await command('LIST-REFUSED', 'SendLocalList', list('Differential', 2), 'rejected')
    await connect('LIST-KEPT')
    await set('LIST-KEPT', { localListSync: true })
    await set('LIST-KEPT', { localListSync: false })
  },
  'with firmware and a log to come, and one whose update failed': async () => {
    for (const id of ['UPDATING', 'UPDATE-FAILED']) {
      const socket = await connect(id)
      socket.on('UpdateFirmware', () => ({}))
      socket.on('GetDiagnostics', () => ({ fileName: 'diagnostics.zip' }))
      await command(id, 'UpdateFirmware', { location: 'https://192.0.2.1/f', retrieveDate: later(30 * minuteMs) })
      await command(id, 'GetDiagnostics', { location: 'https://192.0.2.1/d' })
    }
    const failed = sockets.get('UPDATE-FAILED')
    await failed?.call('FirmwareStatusNotification', { status: 'DownloadFailed' })
    await failed?.call('DiagnosticsStatusNotification', { status: 'UploadFailed' })
    await failed?.call('SecurityEventNotification', { type: 'TamperDetectionActivated', timestamp: later(0) })
  },
  'whose certificate ends soon': async () => {
    await api.expect('POST', '/certificate-authorities', { name: 'Idle', validityDays: 31 })
    const socket = await connect('CERTIFIED')
    const { csr } = await certificateRequest({ commonName: 'CERTIFIED', organization: 'Idle', keyType: 'ec' })
    await socket.call('SignCertificate', { csr })
    await until('the certificate it asked for', () => isAsked(socket, 'CertificateSigned'))
  },
  'with changes that wait for a reset': async () => {
    const socket = await connect('CHANGED')
    socket.on('ChangeConfiguration', () => ({ status: 'RebootRequired' }))
    await api.expect('POST', '/stations/CHANGED/commands?wait=10', {
      action: 'ChangeConfiguration',
      payload: { key: 'HeartbeatInterval', value: '60' },
    })
    socket.on('ChangeAvailability', () => ({ status: 'Scheduled' }))
    await api.command('CHANGED', 'ChangeAvailability', { connectorId: 1, type: 'Inoperative' })
  },
  'that leave a command unanswered, one after its gateway was lost': async () => {
    for (const id of ['DEAF', 'ORPHANED']) {
      const socket = await connect(id)
      socket.on('ClearCache', () => new Promise(() => {}))
      await api.expect('POST', `/stations/${id}/commands`, { action: 'ClearCache', payload: {} })
      await until('the command', () => isAsked(socket, 'ClearCache'))
    }
    // As service stations says it when a newer connection comes and nobody has told the end of the older one.
    const { log, topics } = platform.backbone
    const headers = { type: 'superseded', station: 'ORPHANED', connection: 'newer', epoch: '0', receivedAt: later(1) }
    await log.append({ topic: topics.outcomes, key: 'ORPHANED', value: '{}', headers })
  },
}

test('stations of every sort idle for three days, all that falls due is done, and none gets a CALL', async () => {
  for (const arrange of Object.values(sorts)) await arrange()
  await drained()
  const asked = callsSeen()
  const answers = (await unasked()).map(({ action }) => action)
  // It had asked for that one itself.
  expect(answers).toEqual(['CertificateSigned'])

  await pass(60 * minuteMs)
  await api.registerToken('TOKEN-2')
  await pass(3 * dayMs)

  expect([...new Set((await dueRecords()).map(({ kind }) => kind))].sort()).toEqual(allKinds)
  expect(callsSeen()).toEqual(asked)
  expect((await unasked()).map(({ action }) => action)).toEqual(answers)
  const quiet = [...sockets.values()].filter(({ isOpen }) => isOpen)
  for (const socket of quiet) expect(await socket.call('Heartbeat', {})).toHaveProperty('kind')
  expect(callsSeen()).toEqual(asked)
})

test('what the operator switches on is asked for', async () => {
  const before = await unasked()
  await set('CERTIFIED', { renewCertificates: true })
  await set('LISTED', { localListSync: true })

  await pass(dayMs)

  const known = new Set(before.map(({ id }) => id))
  const since = (await unasked()).filter(({ id }) => !known.has(id))
  expect(new Set(since.map(({ stationId, action }) => `${stationId}: ${action}`))).toEqual(
    new Set(['CERTIFIED: ExtendedTriggerMessage', 'LISTED: SendLocalList']),
  )
})
