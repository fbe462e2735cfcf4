import type { ConnectionOptions } from 'node:tls'
import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Door, Refused, StrictStation } from '../conformance/strict-station.js'
import { certificateRequest, fingerprintOf } from '../support/certificates.js'
import { type Doors, makeDoors } from '../support/doors.js'
import { type System, startEmbedded, until } from '../support/system.js'

// A station from its first password to its second certificate, through the running system and nothing but the typed API.

const id = 'LIFE'
const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const serialNumber = 'SN-4711'
const accepted = { status: 'Accepted' }

let system: System
let doors: Doors
beforeAll(async () => {
  doors = await makeDoors()
  system = await startEmbedded({ ...doors.env, BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1' })
  await system.api.expect('POST', '/certificate-authorities', { name: 'Life' })
})
afterAll(async () => {
  await system?.stop()
  await doors?.remove()
})

const path = `/stations/${id}`
const wish = (name: string, body: object) => system.api.request('POST', `${path}/${name}`, body)
const shown = () => system.api.get<{ provenProfile: number; securityProfileChange: { state: string } | null }>(path)
const own = async () =>
  (await system.api.get<{ own: { status: string; fingerprint: string }[] }>(`${path}/certificates`)).own
const statuses = async () => (await own()).map(({ status }) => status)

/** The upgrade profile 1 and 2 come with, or what a certificate proves. */
function door(proof: { password: string } | { tls: ConnectionOptions }): Door {
  const url = ('tls' in proof ? system.secureUrls : system.urls)[0] ?? ''
  const shared = { url, id, protocol: 'ocpp1.6' as const }
  return 'tls' in proof
    ? { ...shared, tls: { ca: doors.serverRoot.certificate, ...proof.tls } }
    : { ...shared, ...proof }
}

async function comesIn(at: Door): Promise<StrictStation> {
  const station = await StrictStation.connect(at)
  const introduction = { chargePointVendor: 'Busbar', chargePointModel: 'Life' }
  expect(await station.sends('BootNotification', introduction)).toMatchObject(accepted)
  return station
}

/** From the request to the word on the certificate. */
async function asksForCertificate(station: StrictStation, subject: string, answer = 'Accepted') {
  const { csr, key } = await certificateRequest({ commonName: subject, organization: 'whoever', keyType: 'ec' })
  expect(await station.sends('SignCertificate', { csr })).toEqual(accepted)
  const { certificateChain } = await station.isAsked<{ certificateChain: string }>('CertificateSigned', {
    status: answer,
  })
  return { cert: certificateChain, key, fingerprint: fingerprintOf(certificateChain) }
}

const refusal = (at: Door) =>
  StrictStation.connect(at).then(
    () => null,
    (cause: unknown) => cause,
  )

test('a station goes from a password to a certificate, renews it, and keeps the good one when a new one is bad', async () => {
  await system.api.registerStation(id, password, { serialNumber, securityProfile: 1 })
  const first = await comesIn(door({ password }))

  // It asks of itself; the name it asks for is not its own.
  const old = await asksForCertificate(first, 'SN-OF-ANOTHER')
  await until('the certificate accepted', async () => (await statuses())[0] === 'accepted')
  await first.leaves()

  // The move to profile 3: told, agreed, proved; nothing is locked in between.
  const second = await comesIn(door({ password }))
  const told = wish('security-profile?wait=10', { profile: 3 })
  expect(await second.isAsked('ChangeConfiguration', accepted)).toEqual({ key: 'SecurityProfile', value: '3' })
  expect((await told).body).toMatchObject({ status: 'accepted' })
  await until('the flow awaits a reset', async () => (await shown()).securityProfileChange?.state === 'awaiting-reset')
  await second.leaves()
  await (await comesIn(door({ password }))).leaves()

  await until('a gateway trusts the new authority', async () => (await refusal(door({ tls: old }))) === null)
  const third = await comesIn(door({ tls: old }))
  await until('the profile proved', async () => (await shown()).securityProfileChange?.state === 'proven')
  expect((await shown()).provenProfile).toBe(3)
  expect(await statuses()).toEqual(['active'])
  expect(await refusal(door({ password }))).toBeInstanceOf(Refused)

  // Renewed because the operator asks; the old one opens the door until the new one has.
  const renewal = wish('certificates/renew?wait=10', {})
  await third.isAsked('ExtendedTriggerMessage', accepted)
  await renewal
  const next = await asksForCertificate(third, serialNumber)
  await until('the second certificate accepted', async () => (await statuses())[0] === 'accepted')
  await third.leaves()
  const fourth = await comesIn(door({ tls: old }))
  await fourth.leaves()
  const fifth = await comesIn(door({ tls: next }))
  await until('the second certificate active', async () => (await statuses()).join() === 'active,superseded')
  expect(await refusal(door({ tls: old }))).toBeInstanceOf(Refused)

  // One that it cannot use changes nothing.
  await asksForCertificate(fifth, serialNumber, 'Rejected')
  const event = { type: 'InvalidChargePointCertificate', timestamp: new Date().toISOString() }
  expect(await fifth.sends('SecurityEventNotification', event)).toEqual({})
  await until('the refusal', async () => (await statuses()).join() === 'rejected,active,superseded')
  await fifth.leaves()
  const last = await comesIn(door({ tls: next }))
  const events = await system.api.get<{ items: object[] }>(`${path}/security-events`)
  expect(events.items).toMatchObject([{ type: event.type, occurredAt: event.timestamp, level: null }])
  expect((await own()).map(({ fingerprint }) => fingerprint)).toContain(next.fingerprint)
  await last.leaves()
})

test('the certificate comes after the answer to its request, though an earlier call holds that answer up', async () => {
  const eager = 'EAGER'
  await system.api.registerStation(eager, password)
  const url = system.urls[0] ?? ''
  const station = await StationSocket.open({ url, id: eager, password, protocols: ['ocpp1.6'] })
  station.on('CertificateSigned', () => accepted)
  await station.call('BootNotification', { chargePointVendor: 'Busbar', chargePointModel: 'Life' })
  const { csr } = await certificateRequest({ commonName: eager, organization: 'whoever', keyType: 'ec' })

  // No authorization is decided while the tokens are locked.
  const lock = await system.database.connect()
  const answers: Promise<unknown>[] = []
  try {
    await lock.query('BEGIN')
    await lock.query('LOCK TABLE token IN ACCESS EXCLUSIVE MODE')
    answers.push(station.call('Authorize', { idTag: 'ANY' }), station.call('SignCertificate', { csr }))
    await until('the certificate is on its way', async () => {
      const { items } = await system.api.get<{ items: { action: string; status: string }[] }>(
        `/stations/${eager}/commands`,
      )
      return items.some(({ action, status }) => action === 'CertificateSigned' && status !== 'queued')
    })
  } finally {
    await lock.query('COMMIT')
    lock.release()
  }
  await Promise.all(answers)
  await until('the certificate', () => station.receivedCalls.length === 1)

  const came = station.frames.filter(({ direction }) => direction === 'in').map(({ text }) => JSON.parse(text)[0])
  expect(came).toEqual([3, 3, 3, 2])
  station.close()
})
