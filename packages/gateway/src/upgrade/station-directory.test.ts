import { createTestDatabase, sql } from '@busbar/store'
import { expect, test } from 'vitest'
import { FakeDatabase, stationRecord } from '../testing.js'
import { StationDirectory } from './station-directory.js'

function directoryOn(fake: FakeDatabase, withinMs = 1_000) {
  return new StationDirectory(fake.database, withinMs)
}

test('what comes in one turn, and what comes while a query runs, shares a query', async () => {
  const fake = new FakeDatabase()
  fake.delayMs = 20
  for (let number = 0; number < 200; number++) fake.stations.push(stationRecord({ id: `S${number}` }))
  const directory = directoryOn(fake)

  const first = Promise.all(Array.from({ length: 100 }, (_, number) => directory.find(`S${number}`)))
  await new Promise((resolve) => setTimeout(resolve, 5))
  const second = Promise.all(Array.from({ length: 100 }, (_, number) => directory.find(`S${100 + number}`)))
  const found = [...(await first), ...(await second)]

  expect(found.map((station) => station?.id)).toEqual(Array.from({ length: 200 }, (_, number) => `S${number}`))
  expect(fake.queries).toBe(2)
})

test('a copy serves only while Postgres gives no answer', async () => {
  const fake = new FakeDatabase()
  fake.stations.push(stationRecord())
  const directory = directoryOn(fake, 30)
  await directory.find('CP1')

  fake.delayMs = 100
  expect((await directory.find('CP1'))?.id).toBe('CP1')
  fake.delayMs = 0
  await new Promise((resolve) => setTimeout(resolve, 100))
  fake.stations.length = 0
  expect(await directory.find('CP1')).toBeNull()
  fake.isAway = true
  await expect(directory.find('CP1')).rejects.toThrow('Postgres is away')
})

test('a copy from before the station was accepted does not serve: its readings would be refused', async () => {
  const fake = new FakeDatabase()
  fake.stations.push(stationRecord({ registration: null }))
  const directory = directoryOn(fake)
  await directory.find('CP1')

  fake.isAway = true
  await expect(directory.find('CP1')).rejects.toThrow('Postgres is away')
  fake.isAway = false
  fake.stations[0] = stationRecord({ registration: 'Accepted' })
  await directory.find('CP1')
  fake.isAway = true
  expect(await directory.find('CP1')).toMatchObject({ registration: 'Accepted' })
})

test('reads a station, its secrets and its registration from Postgres', async () => {
  const { database, drop } = await createTestDatabase()
  try {
    const directory = new StationDirectory(database, 5_000)
    await database.commit([
      sql(`INSERT INTO station (id, folded_id, protocols, protocol_without_header, switches, accept_without_boot, updated_at)
           VALUES ('RDAM 123', 'rdam 123', '{ocpp1.6}', 'ocpp1.6', '{"tariff": true}', true, now()),
                  ('Twin', 'twin', '{}', NULL, '{}', false, now()), ('TWIN', 'twin', '{}', NULL, '{}', false, now())`)(),
      sql(`INSERT INTO station_secret (station_id, slot, hash)
           VALUES ('RDAM 123', 'pending', 'hash-2'), ('RDAM 123', 'current', 'hash-1')`)(),
      sql(`INSERT INTO station_state (station_id, registration) VALUES ('Twin', 'Pending')`)(),
    ])

    expect(await directory.find('rdam 123')).toMatchObject({
      id: 'RDAM 123',
      registrationPolicy: 'accept',
      heartbeatIntervalSeconds: 300,
      acceptWithoutBoot: true,
      securityProfile: 1,
      protocols: ['ocpp1.6'],
      protocolWithoutHeader: 'ocpp1.6',
      switches: { tariff: true },
      registration: null,
      secrets: [
        { slot: 'current', hash: 'hash-1' },
        { slot: 'pending', hash: 'hash-2' },
      ],
    })
    expect(await directory.find('Twin')).toMatchObject({ id: 'Twin', registration: 'Pending', secrets: [] })
    expect(await directory.find('tWIN')).toBeNull()
    expect(await directory.find('unknown')).toBeNull()
    expect(await directory.addForDevelopment('Fresh')).toMatchObject({ id: 'Fresh', securityProfile: 0 })
    expect(await directory.addForDevelopment('Fresh')).toMatchObject({ id: 'Fresh' })
  } finally {
    await drop()
  }
})

test('reads what binds a station to a profile, and which certificates it shall use no more', async () => {
  const { database, drop } = await createTestDatabase()
  try {
    const directory = new StationDirectory(database, 5_000)
    await database.commit([
      sql(`INSERT INTO station (id, folded_id, serial_number, controller_serial_number, profile_set_at, updated_at)
           VALUES ('A', 'a', 'SN-1', 'LC-1', NULL, now()), ('B', 'b', NULL, NULL, now(), now()),
                  ('C', 'c', NULL, NULL, now() - interval '1 h', now())`)(),
      sql(`INSERT INTO station_state (station_id, security_profile, profile_proven_at)
           SELECT id, 3, now() - interval '1 min' FROM station`)(),
      sql(`INSERT INTO station_certificate (id, station_id, status, csr, fingerprint, not_after, requested_at)
           SELECT gen_random_uuid(), 'A', status, '', status, now() + days * interval '1 d', now()
           FROM (VALUES ('superseded', 1), ('rejected', 1), ('active', 1)) AS certificate (status, days)`)(),
    ])

    const [a, b, c] = await Promise.all(['A', 'B', 'C'].map((id) => directory.find(id)))
    expect(a).toMatchObject({ serialNumber: 'SN-1', controllerSerialNumber: 'LC-1', provenProfile: 3 })
    expect(a?.closedCertificates.toSorted()).toEqual(['rejected', 'superseded'])
    expect(b).toMatchObject({ provenProfile: 0, profileSetAt: expect.any(Date), closedCertificates: [] })
    expect(c).toMatchObject({ provenProfile: 3 })
  } finally {
    await drop()
  }
})
