import { newId } from '@busbar/store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'
import type { ReportItem } from './report.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const send = (what: string, payload: string | object, type = 'text/csv') =>
  api.request('operator', { method: 'POST', url: `/v1/imports/${what}`, payload, headers: { 'content-type': type } })
const importCsv = async (what: string, ...lines: string[]) => {
  const response = await send(what, lines.join('\r\n'))
  expect(response.statusCode, response.body).toBe(200)
  return response.json()
}
const importJson = async (what: string, rows: object[]) => {
  const response = await send(what, rows, 'application/json')
  expect(response.statusCode, response.body).toBe(200)
  return response.json()
}
const outcomesOf = ({ items }: { items: ReportItem[] }) => items.map(({ row, key, outcome }) => [row, key, outcome])
const reasonsOf = ({ items }: { items: ReportItem[] }) => items.map(({ reason }) => reason)
const read = async (url: string) => (await api.request('viewer', { url })).json()
const createGroup = async (name: string) =>
  api.request('operator', { method: 'POST', url: '/v1/station-groups', payload: { name } })
const auditOf = (targetId: string) =>
  api.database.prisma.auditEntry.findMany({ where: { targetId }, orderBy: { id: 'asc' } })
const secretOf = async (stationId: string) =>
  (await api.database.prisma.stationSecret.findMany({ where: { stationId }, orderBy: { slot: 'asc' } })).map(
    ({ slot, hash }) => [slot, hash.split(':')[0]],
  )

describe('stations', () => {
  test('good rows are imported, bad ones told with their row and every reason', async () => {
    await createGroup('North')
    const report = await importCsv(
      'stations',
      '\ufeffid,name,securityProfile,tags,groups,acceptWithoutBoot,switches',
      'A-1,"By the ""gate"", left",2,fast| roof|fast,North,TRUE,"{""callPauseMs"":200}"',
      'A-2,,,,,,',
      '',
      'A/3,slash,,,,,',
      'A-4,much,9,,South,,',
      'A-5,cells',
      'A-1,again,,,,,',
      'A-6,,,,South|North,,',
      'A-7,,,,,maybe,nonsense',
    )

    expect(outcomesOf(report)).toEqual([
      [2, 'A-1', 'created'],
      [3, 'A-2', 'created'],
      [5, null, 'refused'],
      [6, null, 'refused'],
      [7, null, 'refused'],
      [8, 'A-1', 'refused'],
      [9, 'A-6', 'refused'],
      [10, null, 'refused'],
    ])
    expect(reasonsOf(report).slice(2)).toEqual([
      expect.stringContaining('id: '),
      expect.stringContaining('securityProfile: '),
      'It has 2 cells, the header names 7 columns.',
      'Row 2 speaks of it already.',
      'There is no group "South".',
      expect.stringMatching(/acceptWithoutBoot: .*; switches: /),
    ])
    expect(report).toMatchObject({ dryRun: false, rows: 8, created: 2, updated: 0, unchanged: 0, refused: 6 })
    expect(await read('/v1/stations/A-1')).toMatchObject({
      ...{ name: 'By the "gate", left', securityProfile: 2, tags: ['fast', 'roof'], groups: [{ name: 'North' }] },
      ...{ acceptWithoutBoot: true, switches: { callPauseMs: 200 }, effectiveSwitches: { callPauseMs: 200 } },
    })
    expect(await read('/v1/stations/A-2')).toMatchObject({
      name: null,
      securityProfile: 1,
      heartbeatIntervalSeconds: 300,
    })
    expect((await read('/v1/stations?q=A-6')).items).toEqual([])
  })

  test('the same file again changes nothing; a cell that is empty leaves what is there', async () => {
    await createGroup('East')
    await createGroup('West')
    const header = 'id;name;registrationPolicy;protocols;groups'
    const file = [header, 'B-1;one;pending;ocpp1.6|ocpp2.0.1;West|East', 'B-2;two;;;']

    expect(await importCsv('stations', ...file)).toMatchObject({ created: 2 })
    const again = await importCsv('stations', ...file)
    expect(again).toMatchObject({ created: 0, updated: 0, unchanged: 2, refused: 0 })
    const changed = await importCsv('stations', header, 'B-1;;;;East', 'B-2;deux;;;')
    expect(outcomesOf(changed)).toEqual([
      [2, 'B-1', 'updated'],
      [3, 'B-2', 'updated'],
    ])
    expect(await read('/v1/stations/B-1')).toMatchObject({
      ...{
        name: 'one',
        registrationPolicy: 'pending',
        protocols: ['ocpp1.6', 'ocpp2.0.1'],
        groups: [{ name: 'East' }],
      },
    })
    expect(
      (await auditOf('B-1')).map(({ action, details }) => [action, (details as { import: string }).import]),
    ).toEqual([
      ['station.create', expect.any(String)],
      ['station.update', changed.id],
    ])
    expect(await auditOf(again.id)).toMatchObject([
      { action: 'import.stations', details: { rows: 2, created: 0, updated: 0, unchanged: 2, refused: 0 } },
    ])
  })

  test('JSON says the same, and null where something is to be taken away', async () => {
    const site = (
      await api.request('operator', { method: 'POST', url: '/v1/sites', payload: { name: 'Depot' } })
    ).json()
    const first = await importJson('stations', [
      { id: 'C-1', name: 'one', siteId: site.id, tags: ['x'], preset: 'wallbox' },
      { id: 'C-2', siteId: newId() },
      { id: 'C-3', nme: 'typo' },
    ])
    expect(outcomesOf(first)).toEqual([
      [1, 'C-1', 'created'],
      [2, 'C-2', 'refused'],
      [3, null, 'refused'],
    ])
    expect(reasonsOf(first)[1]).toMatch(/^There is no site /)
    expect(await importJson('stations', [{ id: 'C-1', name: null, siteId: null }])).toMatchObject({ updated: 1 })
    expect(await read('/v1/stations/C-1')).toMatchObject({
      ...{ name: null, siteId: null, tags: ['x'] },
      effectiveSwitches: { chargingProfileRelativeOnly: true },
    })
  })

  test('a password given is hashed and never told; one is made for new stations if asked for', async () => {
    const file = ['id,securityProfile,password', 'D-1,1,correct horse battery', 'D-2,,', 'D-3,3,', 'D-4,,short']
    const report = await importCsv('stations?makeSecrets=true', ...file)

    expect(outcomesOf(report).map(([, , outcome]) => outcome)).toEqual(['created', 'created', 'created', 'refused'])
    const [given, made, certificate] = report.items
    expect([given.password, certificate.password]).toEqual([null, null])
    expect(made.password).toMatch(/^[0-9a-f]{40}$/)
    expect(await secretOf('D-1')).toEqual([['current', 'scrypt']])
    expect(await secretOf('D-2')).toEqual([['current', 'hmac']])
    expect(await secretOf('D-3')).toEqual([])
    const audits = JSON.stringify([...(await auditOf('D-1')), ...(await auditOf('D-2'))].map(({ details }) => details))
    expect(audits).toContain('"password":"given"')
    expect(audits).toContain('"password":"generated"')
    expect(audits).not.toContain('correct horse')
    expect(audits).not.toContain(made.password)

    expect(await importCsv('stations?makeSecrets=true', ...file)).toMatchObject({ unchanged: 3, refused: 1 })
    const other = await importCsv('stations', 'id,password', 'D-1,another password of mine')
    expect(other).toMatchObject({ updated: 1, items: [{ password: null }] })
  })

  test('a profile that is repeated lifts nothing the station has proved; one that is new does', async () => {
    await importCsv('stations', 'id,securityProfile', 'E-1,1')
    const profileProvenAt = new Date(Date.now() + 1_000)
    await api.database.prisma.stationState.create({ data: { stationId: 'E-1', securityProfile: 3, profileProvenAt } })

    await importCsv('stations', 'id,name,securityProfile', 'E-1,named,1')
    expect(await read('/v1/stations/E-1')).toMatchObject({ name: 'named', provenProfile: 3 })
    await api.database.prisma.stationState.updateMany({ data: { profileProvenAt: new Date(Date.now() - 60_000) } })
    await importCsv('stations', 'id,securityProfile', 'E-1,2')
    expect(await read('/v1/stations/E-1')).toMatchObject({ securityProfile: 2, provenProfile: 0 })
  })

  test('a dry run tells what would become of each row, and leaves nothing behind', async () => {
    await importCsv('stations', 'id,name', 'F-1,one')
    const file = ['id,name', 'F-1,eins', 'F-2,two', 'F/3,three']
    const before = await api.database.prisma.auditEntry.count()

    const dry = await importCsv('stations?dryRun=true&makeSecrets=true', ...file)

    expect(outcomesOf(dry).map(([, , outcome]) => outcome)).toEqual(['updated', 'created', 'refused'])
    expect(dry).toMatchObject({ dryRun: true, updated: 1, created: 1, refused: 1 })
    expect(dry.items.map(({ password }: ReportItem) => password)).toEqual([null, null, null])
    expect(await read('/v1/stations/F-1')).toMatchObject({ name: 'one' })
    expect((await read('/v1/stations?q=F-')).items).toHaveLength(1)
    expect(await secretOf('F-2')).toEqual([])
    expect(await api.database.prisma.auditEntry.count()).toBe(before)
    expect(outcomesOf(await importCsv('stations', ...file))).toEqual(outcomesOf(dry))
  })

  test('ten thousand rows take seconds, first and again', async () => {
    await createGroup('Many')
    const rows = Array.from({ length: 10_000 }, (_, index) => `Z-${index},station ${index},tag${index % 7},Many`)
    const times: number[] = []
    const timed = async () => {
      const begun = performance.now()
      const report = await importCsv('stations?makeSecrets=true', 'id,name,tags,groups', ...rows)
      times.push(performance.now() - begun)
      return report
    }

    const first = await timed()
    expect(first).toMatchObject({ created: 10_000, refused: 0 })
    expect(new Set(first.items.map(({ password }: ReportItem) => password)).size).toBe(10_000)
    expect(await timed()).toMatchObject({ unchanged: 10_000 })
    expect(await api.database.prisma.stationSecret.count({ where: { stationId: { startsWith: 'Z-' } } })).toBe(10_000)
    expect(await api.database.prisma.auditEntry.count({ where: { targetId: { startsWith: 'Z-' } } })).toBe(10_000)
    if (process.env.TEST_PRINT_TIMES) process.stdout.write(`10,000 rows: ${times.map(Math.round).join(', ')} ms\n`)
    expect(Math.max(...times)).toBeLessThan(60_000)
  }, 180_000)
})

describe('secrets', () => {
  test('a station that is known gets the password given, or one of ours; the same again is no change', async () => {
    await importJson('stations', [{ id: 'S-1' }, { id: 'S-2', password: 'the password before' }, { id: 'S-3' }])
    await api.database.prisma.stationSecret.create({ data: { stationId: 'S-2', slot: 'pending', hash: 'hmac:v1:x' } })
    await api.database.prisma.station.update({ where: { id: 'S-3' }, data: { switches: { anyPassword: true } } })
    const file = ['stationId,password', 'S-1,', 'S-2,sixteen characters', 'S-3,1234', 'S-9,sixteen characters']

    const report = await importCsv('secrets', ...file)

    expect(outcomesOf(report)).toEqual([
      [2, 'S-1', 'created'],
      [3, 'S-2', 'updated'],
      [4, 'S-3', 'created'],
      [5, 'S-9', 'refused'],
    ])
    expect(report.items.map(({ password }: ReportItem) => password)).toEqual([
      expect.stringMatching(/^[0-9a-f]{40}$/),
      ...[null, null, null],
    ])
    expect(await secretOf('S-1')).toEqual([['current', 'hmac']])
    expect(await secretOf('S-2')).toEqual([['current', 'scrypt']])
    expect((await auditOf('S-2')).at(-1)).toMatchObject({
      action: 'station.set-secret',
      details: { slot: 'current', password: 'given', import: report.id },
    })
    const again = await importCsv('secrets', 'stationId,password', 'S-2,sixteen characters', 'S-1,1234')
    expect(outcomesOf(again)).toEqual([
      [2, 'S-2', 'unchanged'],
      [3, 'S-1', 'refused'],
    ])
    expect(JSON.stringify([report, again])).not.toContain('sixteen characters"')
  })

  test('more passwords than can be hashed in a minute are refused at once', async () => {
    const rows = Array.from({ length: 2_001 }, (_, index) => ({
      stationId: `S-${index}`,
      password: 'sixteen characters',
    }))

    const response = await send('secrets', rows, 'application/json')
    expect(response.statusCode).toBe(422)
    expect(response.json().detail).toContain('at most 2000')
  })
})

describe('tokens', () => {
  test('tokens are found by value in any letter case, and type', async () => {
    await api.request('operator', { method: 'POST', url: '/v1/token-groups', payload: { id: 'FLEET' } })
    const header = 'value,type,groupId,expiresAt,maxTransactions'
    const first = await importCsv(
      'tokens',
      header,
      'Abc1,ISO14443,FLEET,2027-01-01T00:00:00+01:00,2',
      'Abc1,KeyCode,,,',
      'Def2,ISO14443,NONE,,',
      'Ghi3,Card,,,',
      'aBC1,ISO14443,,,',
    )
    expect(outcomesOf(first)).toEqual([
      [2, 'Abc1', 'created'],
      [3, '***', 'created'],
      [4, 'Def2', 'refused'],
      [5, null, 'refused'],
      [6, 'aBC1', 'refused'],
    ])
    expect(reasonsOf(first)[2]).toBe('There is no token group "NONE".')
    const again = await importCsv('tokens', header, 'ABC1,ISO14443,,2026-12-31T23:00:00Z,', 'Abc1,KeyCode,,,')
    expect(again).toMatchObject({ unchanged: 2 })
    expect(
      await importJson('tokens', [{ value: 'abc1', type: 'ISO14443', groupId: null, status: 'blocked' }]),
    ).toMatchObject({
      updated: 1,
    })

    const { items } = await read('/v1/tokens?value=abc1')
    expect(items).toMatchObject([
      {
        ...{ value: 'Abc1', status: 'blocked', groupId: null, maxTransactions: 2 },
        expiresAt: '2026-12-31T23:00:00.000Z',
      },
    ])
    expect((await auditOf(items[0].id)).map(({ action }) => action)).toEqual(['token.create', 'token.update'])
    const shown = JSON.stringify(
      await api.database.prisma.auditEntry.findMany({ where: { action: 'token.create' } }),
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    )
    expect(shown).toContain('"value":"***"')
  })

  test('lists of stations that are kept in step are looked at, when something changed', async () => {
    const switches = { localListSync: true }
    await api.database.prisma.station.create({ data: { id: 'LIST', foldedId: 'list', switches } })
    const jobs = () => api.database.prisma.job.count({ where: { stationId: 'LIST' } })

    await importCsv('tokens?dryRun=true', 'value,type', 'Listed,Local')
    expect(await jobs()).toBe(0)
    await importCsv('tokens', 'value,type', 'Listed,Local')
    expect(await jobs()).toBe(1)
  })
})

test.each([
  ['no CSV', 'id,name\r\nA,"open', 400],
  ['an unknown column', 'id,colour\r\nA,red', 400],
  ['a column named twice', 'id,id\r\nA,B', 400],
  ['nothing', '', 400],
  ['a header alone', 'id,name\r\n', 400],
  ['another encoding', Buffer.from('id,name\r\nA,K\xf6ln', 'latin1'), 400],
])('a file with %s is refused as a whole', async (_, payload, status) => {
  expect((await send('stations', payload)).statusCode).toBe(status)
})

test('what is no list, of another kind, or too large is refused as a whole', async () => {
  expect((await send('stations', { id: 'A' }, 'application/json')).statusCode).toBe(400)
  expect((await send('stations', [], 'application/json')).statusCode).toBe(400)
  expect((await send('stations', '<a/>', 'application/xml')).statusCode).toBe(415)
  expect((await send('stations', 'x'.repeat(17 * 1024 * 1024))).statusCode).toBe(413)
  expect((await send('stations', `id\n${'A\n'.repeat(50_001)}`)).statusCode).toBe(413)
  const elsewhere = {
    method: 'POST',
    url: '/v1/sites',
    payload: 'name\nx',
    headers: { 'content-type': 'text/csv' },
  } as const
  expect((await api.request('operator', elsewhere)).statusCode).toBe(415)
})
