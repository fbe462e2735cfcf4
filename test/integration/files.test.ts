import { randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { Payload } from '@busbar/ocpp'
import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allServices, hasServices, type System, startDistributed, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

interface Transfer {
  kind: string
  state: string
  status: string | null
  location: string
  fileName: string | null
  history: { status: string; count: number }[]
  file: { id: string; bytes: number; complete: boolean } | null
}

/** The settings of a bucket of its own. */
async function bucketOf(url: string): Promise<Record<string, string>> {
  const { username: accessKeyId, password: secretAccessKey, origin: endpoint } = new URL(url)
  const bucket = `test-${randomUUID()}`
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  return {
    BUSBAR_FILES_S3_BUCKET: bucket,
    BUSBAR_FILES_S3_ENDPOINT: endpoint,
    BUSBAR_FILES_S3_ACCESS_KEY: accessKeyId,
    BUSBAR_FILES_S3_SECRET_KEY: secretAccessKey,
  }
}

const s3Url = process.env.TEST_S3_URL
const setUps = [
  { name: 'embedded, in a folder', start: () => startEmbedded() },
  ...(hasServices() && s3Url
    ? [
        {
          name: 'distributed, in a bucket',
          start: async () => startDistributed({ gateways: 1, workers: [allServices] }, await bucketOf(s3Url)),
        },
      ]
    : []),
]

describe.each(setUps)('files, $name', ({ start }) => {
  let system: System
  beforeAll(async () => {
    system = await start()
  })
  afterAll(() => system.stop())

  async function connect(id: string, answers: Record<string, Payload>): Promise<StationSocket> {
    await system.api.registerStation(id, password)
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    for (const [action, answer] of Object.entries(answers)) station.on(action, () => answer)
    const boot = await station.call('BootNotification', { chargePointVendor: 'Lab', chargePointModel: 'Files' })
    expect(boot).toMatchObject({ payload: { status: 'Accepted' } })
    return station
  }

  const ask = (id: string, operation: string, body: object) =>
    system.api.request<{ id: string; status: string }>('POST', `/stations/${id}/${operation}?wait=10`, body)
  const transferOf = async (id: string) =>
    (await system.api.get<{ items: Transfer[] }>(`/stations/${id}/transfers`)).items[0]
  const followUpOf = async (commandId: string) =>
    (await system.api.get<{ followUp: string }>(`/commands/${commandId}`)).followUp

  test('a station sends its diagnostics in two pieces, and nobody learns the address (TC_045_1)', async () => {
    const id = `DIAG-${randomUUID().slice(0, 8)}`
    const station = await connect(id, { GetDiagnostics: { fileName: 'diag.zip' } })
    const { body } = await ask(id, 'diagnostics', { from: '2026-01-01T00:00:00Z' })
    expect(body).toMatchObject({ status: 'accepted' })
    const address = String(station.receivedCalls[0]?.payload.location)
    const bytes = randomBytes(2_500_000)

    await station.call('DiagnosticsStatusNotification', { status: 'Uploading' })
    const put = async (first: number, last: number) =>
      fetch(address, {
        method: 'PUT',
        body: bytes.subarray(first, last + 1),
        headers: { 'content-range': `bytes ${first}-${last}/${bytes.length}` },
      })
    expect((await put(0, 999_999)).status).toBe(202)
    expect(await until('the transfer', () => transferOf(id))).toMatchObject({
      file: { bytes: 1_000_000, complete: false },
    })
    expect((await put(1_000_000, bytes.length - 1)).status).toBe(201)
    await station.call('DiagnosticsStatusNotification', { status: 'Uploaded' })

    const ended = await until('its end', async () => {
      const transfer = await transferOf(id)
      return transfer?.state === 'succeeded' && transfer
    })
    expect(ended).toMatchObject({
      kind: 'diagnostics',
      fileName: 'diag.zip',
      history: [{ status: 'Uploading' }, { status: 'Uploaded' }],
      file: { bytes: bytes.length, complete: true },
    })
    const content = await fetch(`${system.api.url}/v1/files/${ended.file?.id}/content`, {
      headers: { authorization: `Bearer ${system.api.key}` },
    })
    expect(Buffer.from(await content.arrayBuffer()).equals(bytes)).toBe(true)
    expect(content.headers.get('content-disposition')).toContain('attachment')
    await until('the command followed up', async () => (await followUpOf(body.id)) === 'complete')

    await expectNowhere(address.split('/').at(-1) ?? '', id)
    station.close()
  })

  test('a station fetches firmware in two parts and installs it (TC_044_1)', async () => {
    const id = `FW-${randomUUID().slice(0, 8)}`
    const station = await connect(id, { UpdateFirmware: {} })
    const image = randomBytes(1_500_000)
    const uploaded = await fetch(`${system.api.url}/v1/firmware?fileName=fw.bin&version=2.0`, {
      method: 'POST',
      body: image,
      headers: { authorization: `Bearer ${system.api.key}`, 'content-type': 'application/octet-stream' },
    })
    expect(uploaded.status).toBe(201)
    const { id: firmwareId } = (await uploaded.json()) as { id: string }
    const { body } = await ask(id, 'firmware/update', { firmwareId })
    const address = String(station.receivedCalls[0]?.payload.location)

    await station.call('FirmwareStatusNotification', { status: 'Downloading' })
    const parts = ['bytes=0-999999', 'bytes=1000000-'].map(async (range) => {
      const response = await fetch(address, { headers: { range } })
      expect(response.status).toBe(206)
      return Buffer.from(await response.arrayBuffer())
    })
    expect(Buffer.concat(await Promise.all(parts)).equals(image)).toBe(true)
    for (const status of ['Downloaded', 'Installing', 'Installed']) {
      expect(await station.call('FirmwareStatusNotification', { status })).toMatchObject({ payload: {} })
    }

    const ended = await until('its end', async () => {
      const transfer = await transferOf(id)
      return transfer?.state === 'succeeded' && transfer
    })
    expect(ended.history.map(({ status }) => status)).toEqual(['Downloading', 'Downloaded', 'Installing', 'Installed'])
    expect(ended.location).toMatch(/\/\*\*\*\/fw\.bin$/)
    await until('the command followed up', async () => (await followUpOf(body.id)) === 'complete')
    await expectNowhere(address.split('/').at(-2) ?? '', id)
    station.close()
  })

  test('a log follows its request id; a status before the boot is answered too (TC_079, UC16-Sec-5)', async () => {
    const id = `LOG-${randomUUID().slice(0, 8)}`
    const station = await connect(id, { GetLog: { status: 'Accepted', filename: 'security.log' } })
    const { body } = await ask(id, 'log', { type: 'security', location: 'sftp://me:hunter2@files.example/logs' })
    const { requestId, logType, log } = station.receivedCalls[0]?.payload ?? {}
    expect({ logType, log }).toEqual({
      logType: 'SecurityLog',
      log: { remoteLocation: 'sftp://me:hunter2@files.example/logs' },
    })
    station.close()
    await station.closed

    const again = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    for (let i = 0; i < 50; i++) await again.call('LogStatusNotification', { status: 'Uploading', requestId })
    expect(await again.call('LogStatusNotification', { status: 'PermissionDenied', requestId })).toMatchObject({
      kind: 'result',
      payload: {},
    })
    expect(await again.call('LogStatusNotification', { status: 'Uploaded', requestId: 4_711 })).toMatchObject({
      kind: 'result',
    })

    const ended = await until('its end', async () => {
      const { items } = await system.api.get<{ items: Transfer[] }>(`/stations/${id}/transfers`)
      return items.length === 2 && items.find(({ state }) => state === 'failed')
    })
    expect(ended).toMatchObject({
      location: 'sftp://***@files.example/logs',
      history: [
        { status: 'Uploading', count: 50 },
        { status: 'PermissionDenied', count: 1 },
      ],
      file: null,
    })
    await until('the command followed up', async () => (await followUpOf(body.id)) === 'failed')
    await expectNowhere('hunter2', id)
    again.close()
  })

  /** In nothing that is kept for people to read, and in no log. */
  async function expectNowhere(secret: string, id: string): Promise<void> {
    expect(secret.length).toBeGreaterThan(6)
    await until('the journal of the CALL', async () => {
      const { items } = await system.api.get<{ items: unknown[] }>(`/journal?station=${id}&limit=200`)
      return JSON.stringify(items).includes('***')
    })
    for (const table of ['command', 'transfer', 'station_file', 'audit_entry', 'outbox', 'dead_letter', 'job']) {
      const { rows } = await system.database.query(`SELECT t::text AS row FROM ${table} t`)
      expect(JSON.stringify(rows), table).not.toContain(secret)
    }
    const { rows } = await system.database.query("SELECT encode(frame, 'escape') AS frame FROM journal_frame")
    expect(JSON.stringify(rows)).not.toContain(secret)
    for (const where of [`/stations/${id}/commands`, `/stations/${id}/transfers`, `/journal?station=${id}`, '/audit']) {
      expect(JSON.stringify(await system.api.get(where)), where).not.toContain(secret)
    }
    const logs = (await readdir(system.folder)).filter((name) => name.endsWith('.log'))
    for (const name of logs) expect(await readFile(path.join(system.folder, name), 'utf8')).not.toContain(secret)
  }
})
