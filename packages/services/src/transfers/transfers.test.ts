import { createTestDatabase } from '@busbar/store'
import { expect, test } from 'vitest'
import type { Decision } from '../pipeline/service.js'
import { transfersPart } from './part.js'
import { commandId, transfersWorld } from './testing.js'

const eventTypes = ({ events = [] }: Decision) => events.map(({ type }) => type)
const followUps = ({ records = [] }: Decision) => records.map(({ value }) => JSON.parse(String(value)))

test('a firmware update goes from the request to the installed image (TC_044_1)', () => {
  const world = transfersWorld()
  const location = 'https://me:hunter2@files.example/fw.bin'

  expect(eventTypes(world.hears('firmware', 'requested', { sent: { location } }))).toEqual(['transfer.updated'])
  expect(world.all()).toMatchObject([{ state: 'requested', location: 'https://***@files.example/fw.bin' }])
  world.hears('firmware', 'accepted', { sent: { location } })
  expect(world.all()).toMatchObject([{ state: 'accepted', endedAt: null }])
  for (const status of ['Downloading', 'Downloaded', 'Installing']) {
    expect(world.notifies('firmware', status)).toMatchObject({ answer: { result: {} } })
    expect(world.all()).toMatchObject([{ state: 'running', endedAt: null }])
  }
  const installed = world.notifies('firmware', 'Installed')

  expect(eventTypes(installed)).toEqual(['transfer.updated', 'firmware.installed'])
  expect(followUps(installed)).toEqual([{ type: 'transfer', commandId: commandId(1), followUp: 'complete' }])
  expect(world.all()).toMatchObject([
    { state: 'succeeded', endedAt: new Date('2026-03-01T10:00:05Z'), history: Array(4).fill({ count: 1 }) },
  ])
})

test.each([
  ['firmware', 'DownloadFailed', 'TC_044_2'],
  ['firmware', 'InstallationFailed', 'TC_044_3'],
  ['diagnostics', 'UploadFailed', 'TC_045_2'],
  ['signed-firmware', 'InvalidSignature', 'TC_081'],
  ['signed-firmware', 'InstallVerificationFailed', 'UC16-Sec-4'],
  ['log', 'BadMessage', 'UC16-Sec-5'],
  ['log', 'NotSupportedOperation', 'UC16-Sec-5'],
  ['log', 'PermissionDenied', 'UC16-Sec-5'],
  ['log', 'UploadFailure', 'UC16-Sec-5'],
] as const)('%s ends failed with %s (%s)', (kind, status, _case) => {
  const world = transfersWorld()
  world.hears(kind, 'requested', { sent: { requestId: 7 } })
  world.hears(kind, 'accepted', { sent: { requestId: 7 }, response: { fileName: 'a', status: 'Accepted' } })

  const failed = world.notifies(kind, status, kind === 'log' || kind === 'signed-firmware' ? 7 : undefined)

  expect(world.all()).toMatchObject([{ state: 'failed', history: [{ status, count: 1 }] }])
  expect(followUps(failed)).toEqual([{ type: 'transfer', commandId: commandId(1), followUp: 'failed' }])
  expect(eventTypes(failed).includes('firmware.failed')).toBe(kind.endsWith('firmware'))
})

test('a flood of equal statuses is one entry with a count, and says nothing new', () => {
  const world = transfersWorld()
  world.hears('diagnostics', 'accepted', { response: { fileName: 'a.zip' } })
  world.notifies('diagnostics', 'Uploading')
  for (let i = 0; i < 499; i++) {
    expect(world.notifies('diagnostics', 'Uploading')).toEqual({ answer: { result: {} } })
  }

  expect(world.all()).toMatchObject([
    { state: 'running', history: [{ status: 'Uploading', count: 500, lastAt: '2026-03-01T10:08:20.000Z' }] },
  ])
})

test('a station that may say anything fills no row', () => {
  const world = transfersWorld()
  world.hears('diagnostics', 'accepted', { response: { fileName: 'a.zip' } })
  for (let i = 0; i < 1_000; i++) world.notifies('diagnostics', `Uploading ${i}`)

  expect(world.all()).toMatchObject([{ state: 'running', history: { length: 20 } }])
  world.notifies('diagnostics', 'Uploaded')
  expect(world.all()).toMatchObject([{ state: 'succeeded', history: { length: 21 } }])
})

test('an answer without a file name means that no upload will come (UC16-FW-1)', () => {
  const world = transfersWorld()
  world.hears('diagnostics', 'requested')
  const answered = world.hears('diagnostics', 'accepted', { response: {} })

  expect(world.all()).toMatchObject([{ state: 'nothing-to-send', fileName: null, endedAt: expect.any(Date) }])
  expect(followUps(answered)).toEqual([{ type: 'transfer', commandId: commandId(1), followUp: 'complete' }])
})

test('Idle only informs (UC16-FW-1, TC_054)', () => {
  const world = transfersWorld()
  world.hears('firmware', 'accepted')
  for (const kind of ['firmware', 'diagnostics', 'log', 'signed-firmware'] as const) {
    expect(world.notifies(kind, 'Idle')).toEqual({ answer: { result: {} } })
  }
  expect(world.all()).toMatchObject([{ state: 'accepted', history: [] }])
})

test('statuses of request ids nobody gave are kept as unmatched, not too many, and never refused', () => {
  const world = transfersWorld()
  world.hears('log', 'accepted', { sent: { requestId: 7 } })
  for (let requestId = 100; requestId < 200; requestId++) {
    for (const status of ['Uploading', 'Uploaded']) {
      expect(world.notifies('log', status, requestId).answer).toEqual({ result: {} })
    }
  }
  expect(world.notifies('log', 'Uploading', 2 ** 40).answer).toEqual({ result: {} })

  expect(world.all().filter((transfer) => transfer.commandId === null)).toHaveLength(20)
  expect(world.all()[1]).toMatchObject({ commandId: null, requestId: 100, answer: null, history: [{}, {}] })
  expect(world.all()[0]).toMatchObject({ state: 'accepted', history: [] })
})

test('signed updates are told apart by their request ids; one that was cancelled is superseded (UC16-Sec-4)', () => {
  const world = transfersWorld()
  world.hears('signed-firmware', 'accepted', { sent: { requestId: 1 }, response: { status: 'Accepted' } })
  world.notifies('signed-firmware', 'Downloading', 1)
  const second = { commandId: commandId(2), sent: { requestId: 2 }, response: { status: 'AcceptedCanceled' } }
  const canceled = world.hears('signed-firmware', 'accepted', second)
  world.notifies('signed-firmware', 'DownloadFailed', 1)
  world.notifies('signed-firmware', 'InstallScheduled', 2)

  expect(world.all()).toMatchObject([
    { requestId: 1, state: 'superseded', history: [{}, {}] },
    { requestId: 2, state: 'running', history: [{ status: 'InstallScheduled' }] },
  ])
  expect(followUps(canceled)).toEqual([{ type: 'transfer', commandId: commandId(1), followUp: 'incomplete' }])
})

test.each(['Rejected', 'InvalidCertificate', 'RevokedCertificate'])('a signed update answered with %s', (status) => {
  const world = transfersWorld()
  world.hears('signed-firmware', 'accepted', { sent: { requestId: 1 }, response: { status: 'Accepted' } })
  const news = { commandId: commandId(2), sent: { requestId: 2 }, response: { status } }
  expect(followUps(world.hears('signed-firmware', 'rejected', news))).toEqual([])

  expect(world.all()).toMatchObject([{ state: 'accepted' }, { state: 'rejected', endedAt: expect.any(Date) }])
})

test('a newer plain request takes the place of the older one, and gets its statuses', () => {
  const world = transfersWorld()
  world.hears('firmware', 'accepted')
  world.notifies('firmware', 'Downloading')
  world.hears('firmware', 'accepted', { commandId: commandId(2) })
  world.notifies('firmware', 'Installed')

  expect(world.all()).toMatchObject([{ state: 'superseded' }, { state: 'succeeded' }])
})

test('what was put down to a request that the station then refused belongs to the one before', () => {
  const world = transfersWorld()
  world.hears('firmware', 'accepted')
  world.hears('firmware', 'requested', { commandId: commandId(2) })
  world.notifies('firmware', 'Installing')
  world.hears('firmware', 'failed', { commandId: commandId(2) })
  world.notifies('firmware', 'Installed')

  expect(world.all()).toMatchObject([
    { state: 'succeeded', history: [{ status: 'Installing' }, { status: 'Installed' }] },
    { state: 'not-started', history: [] },
  ])
})

test('the word of an answer that came late counts; one that nobody knows of takes nothing back', () => {
  const world = transfersWorld()
  world.hears('log', 'requested', { sent: { requestId: 1 } })
  world.hears('log', 'unknown', { sent: { requestId: 1 } })
  expect(world.all()).toMatchObject([{ state: 'unknown', endedAt: null }])
  world.hears('log', 'accepted', { sent: { requestId: 1 }, response: { status: 'Accepted', filename: 'log.gz' } })
  world.hears('log', 'unknown', { sent: { requestId: 1 } })

  expect(world.all()).toMatchObject([{ state: 'accepted', fileName: 'log.gz' }])
})

test('a batch is stored, and the next one goes on from it', async () => {
  const { database, drop } = await createTestDatabase()
  try {
    const first = transfersWorld()
    first.hears('log', 'accepted', { sent: { requestId: 3, log: { remoteLocation: 'ftp://a/b' } } })
    first.notifies('log', 'Uploading', 3)
    first.notifies('firmware', 'Downloading')
    await database.commit(transfersPart.save(first.state))
    const record = { stationId: 'CP-1' } as never

    const loaded = await transfersPart.load(database, [record, record], new Date())
    expect(loaded.of('CP-1')).toEqual(first.all())
    expect(transfersPart.save(loaded)).toEqual([])

    for (const transfer of first.all()) loaded.put({ ...transfer, state: 'succeeded' })
    await database.commit(transfersPart.save(loaded))
    expect((await transfersPart.load(database, [record], new Date())).of('CP-1').map(({ state }) => state)).toEqual([
      'succeeded',
      'succeeded',
    ])
  } finally {
    await drop()
  }
})
