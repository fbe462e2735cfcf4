import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StationSocket, UpgradeRefused, VirtualStation } from '@busbar/simulator'
import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type System, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
let system: System

beforeAll(async () => {
  system = await startEmbedded({ BUSBAR_GATEWAY_PING_INTERVAL_SECONDS: '1' })
  await system.api.registerToken('TOKEN-1')
})
afterAll(() => system.stop())

async function station(id: string, protocol: 'ocpp1.6' | 'ocpp2.0.1'): Promise<VirtualStation> {
  await system.api.registerStation(id, password)
  const virtual = new VirtualStation({ id, protocol, urls: system.urls, password, reconnectMs: 50 })
  await virtual.start()
  return virtual
}

test.each(['ocpp1.6', 'ocpp2.0.1'] as const)(
  '%s: a whole charge ends with the energy of the ledger',
  async (protocol) => {
    const id = `WHOLE-${protocol}`
    const virtual = await station(id, protocol)
    const session = await virtual.charge({ token: 'TOKEN-1', powerW: 360_000, readings: 5, intervalMs: 100 })
    await virtual.stop()

    expect(session.tokenStatus).toBe('Accepted')
    const shown = await until('the ended transaction', async () => {
      const { items } = await system.api.get<{ items: { status: string; energyWh: number }[] }>(
        `/transactions?station=${id}`,
      )
      return items.find(({ status }) => status === 'ended')
    })
    expect(shown.energyWh).toBe((session.meterStopWh ?? 0) - session.meterStartWh)
    expect(virtual.ledger.discarded).toEqual([])
  },
)

test.each(['ocpp1.6', 'ocpp2.0.1'] as const)(
  '%s: at defaults a station boots, charges and idles and is sent no CALL',
  async (protocol) => {
    const virtual = await station(`QUIET-${protocol}`, protocol)
    await virtual.charge({ token: 'TOKEN-1', readings: 3, intervalMs: 50 })
    // Ten minutes of idling, told as the frames of ten minutes: pings, heartbeats, clock-aligned readings.
    for (let minute = 0; minute < 10; minute += 1) {
      await virtual.call({ action: 'Heartbeat', payload: {} })
      await sleep(300)
    }
    expect(virtual.ledger.commands).toEqual([])
    await virtual.stop()
  },
)

test("a limit that is a key of the vendor's is read, set and known as the station took it", async () => {
  const id = 'VENDOR-KEY'
  await system.api.registerStation(id, password)
  const socket = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
  await socket.call('BootNotification', { chargePointVendor: 'EVBox', chargePointModel: 'Elvi' })
  const values = new Map([['evb_MaxCurrent', '320']])
  socket.on('GetConfiguration', () => ({
    configurationKey: [...values].map(([key, value]) => ({ key, value, readonly: false })),
  }))
  socket.on('ChangeConfiguration', ({ key, value }) => {
    // In tenths of an ampere, as much as its fuse bears.
    if (Number(value) > 320) return { status: 'Rejected' }
    values.set(String(key), String(value))
    return { status: 'Accepted' }
  })
  const change = (value: unknown) =>
    system.api.expect<{ status: string; warnings: string[] }>('POST', `/stations/${id}/configuration/change?wait=10`, {
      key: 'evb_MaxCurrent',
      value,
    })
  const known = async () =>
    (await system.api.get<{ items: { key: string; value: string }[] }>(`/stations/${id}/configuration`)).items

  expect(await change(640)).toMatchObject({ status: 'rejected', warnings: [expect.stringContaining('evb_MaxCurrent')] })
  await system.api.expect('POST', `/stations/${id}/configuration/read?wait=10`, {})
  await until('read', async () => (await known()).some(({ value }) => value === '320'))
  expect(await change(160)).toMatchObject({ status: 'accepted', warnings: [] })
  await until('changed', async () => (await known()).some(({ value }) => value === '160'))
  expect(values.get('evb_MaxCurrent')).toBe('160')
  socket.close()
})

test('online state follows a close within 2 s', async () => {
  const id = 'PRESENCE'
  const virtual = await station(id, 'ocpp1.6')
  const online = async () =>
    (await system.api.get<{ connection: { online: boolean } }>(`/stations/${id}`)).connection.online
  await until('online', online, 2_000)
  await virtual.stop()
  await until('offline', async () => !(await online()), 2_000)
})

test('an unknown station and a wrong password are refused before the upgrade', async () => {
  const url = system.urls[0] ?? ''
  const refusal = (id: string, secret: string) =>
    StationSocket.open({ url, id, password: secret, protocols: ['ocpp1.6'] }).catch((cause: unknown) => cause)
  await system.api.registerStation('REFUSED', password)

  expect(await refusal('NOBODY', password)).toMatchObject({ status: 404 })
  expect(await refusal('REFUSED', 'wrong')).toMatchObject({ status: 401 })
  expect(await refusal('REFUSED', 'wrong')).toBeInstanceOf(UpgradeRefused)
})

test('a restart finds all data again, and the station reconnects by itself', async () => {
  const virtual = await station('RESTART', 'ocpp1.6')
  const before = await system.api.get<{ items: unknown[] }>('/transactions')
  await system.gateways[0]?.stop()
  await system.restartGateway(0)

  expect((await system.api.get<{ items: unknown[] }>('/transactions')).items).toEqual(before.items)
  await until('reconnected', () => virtual.isOnline, 10_000)
  const { body } = await until('accepted', async () => {
    const answer = await system.api.command('RESTART', 'ClearCache', {})
    return answer.body.status === 'accepted' && answer
  })
  expect(body.status).toBe('accepted')
  await virtual.stop()
})

test('what is past its retention is gone after a start, the bytes of files too; what is billed stays', async () => {
  const at = new Date(Date.now() - 3 * 365 * 86_400_000)
  const [commandId, fileId] = [newId(at.getTime()), newId(at.getTime())]
  const piece = path.join(system.folder, 'data', 'files', 'uploads', fileId, '1')
  await mkdir(path.dirname(piece), { recursive: true })
  await writeFile(piece, 'abc')
  await system.database.query(
    `INSERT INTO command (id, station_id, action, payload, requested_by, idempotency_key, request_hash, status, created_at,
       expires_at, completed_at) VALUES ($1, 'OLD', 'Reset', '{}', 'key', 'one', 'x', 'accepted', $2, $2, $2)`,
    [commandId, at],
  )
  await system.database.query(
    `INSERT INTO station_file (id, station_id, command_id, bytes, pieces, created_at, expires_at, completed_at)
     VALUES ($1, 'OLD', $2, 3, $3, $4, $4, $4)`,
    [fileId, commandId, JSON.stringify([{ key: `uploads/${fileId}/1`, bytes: 3 }]), at],
  )
  await system.database.query('UPDATE charging_transaction SET created_at = $1, ended_at = $1, updated_at = $1', [at])
  const count = async (table: string) =>
    Number((await system.database.query(`SELECT count(*) FROM ${table}`)).rows[0]?.count)
  const transactions = await count('charging_transaction')
  expect(transactions).toBeGreaterThan(0)

  await system.gateways[0]?.stop()
  await system.restartGateway(0)

  await until('rows gone', async () => (await count("command WHERE station_id = 'OLD'")) === 0)
  await until('file gone', async () => (await count("station_file WHERE station_id = 'OLD'")) === 0)
  expect(existsSync(piece)).toBe(false)
  expect(await count('charging_transaction')).toBe(transactions)
})
