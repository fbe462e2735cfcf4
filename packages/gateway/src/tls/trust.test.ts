import { X509Certificate } from 'node:crypto'
import { createTestDatabase, newId } from '@busbar/store'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { TestAuthority } from '../../../../test/support/certificates.js'
import { FakeDatabase } from '../testing.js'
import { Trust } from './trust.js'

const silent = pino({ level: 'silent' })
const now = new Date()

test('reads anchors and revocations out of Postgres', async () => {
  const { database, drop } = await createTestDatabase()
  try {
    const trust = new Trust(database, silent)
    const root = await TestAuthority.create()
    const { certificate, fingerprint } = await root.issue({ commonName: 'CP1' })
    const shown = { leaf: new X509Certificate(certificate), issuers: [], fault: null }
    expect(trust.isKnown).toBe(false)
    await trust.refresh()
    expect(trust.findPath(shown, now)).toBe('certificate-untrusted')

    const anchor = { certificate: root.certificate, fingerprint: root.fingerprint, notAfter: now }
    await database.prisma.trustAnchor.create({ data: { id: newId(), name: 'Stations', ...anchor } })
    await trust.refresh()
    const path = [fingerprint, root.fingerprint]
    expect([trust.findPath(shown, now), trust.stillHolds(path)]).toEqual([path, true])

    await database.prisma.revokedCertificate.create({ data: { fingerprint } })
    await trust.refresh()
    expect([trust.findPath(shown, now), trust.stillHolds(path)]).toEqual(['certificate-revoked', false])
  } finally {
    await drop()
  }
})

test('what was read last counts while Postgres is away, and listeners hear of changes alone', async () => {
  const fake = new FakeDatabase()
  const trust = new Trust(fake.database, silent)
  let changes = 0
  trust.onChange(() => {
    changes += 1
  })
  const root = await TestAuthority.create()
  fake.anchors.push(root)
  await trust.refresh()
  await trust.refresh()
  fake.isAway = true
  await trust.refresh()

  expect([changes, trust.isKnown, trust.anchors]).toEqual([1, true, [root.certificate]])
})

test('a path ends: authorities that vouch for each other, and one of too many, are no path', async () => {
  const fake = new FakeDatabase()
  const trust = new Trust(fake.database, silent)
  const root = await TestAuthority.create()
  fake.anchors.push(root)
  await trust.refresh()
  const chain = [root]
  for (let depth = 0; depth < 5; depth++) chain.push(await (chain.at(-1) as TestAuthority).intermediate(`CA ${depth}`))
  const pathOver = async (depth: number) => {
    const leaf = new X509Certificate((await (chain[depth] as TestAuthority).issue({ commonName: 'x' })).certificate)
    const issuers = chain.slice(1).map(({ certificate }) => new X509Certificate(certificate))
    return trust.findPath({ leaf, issuers, fault: null }, now)
  }

  expect(await pathOver(3)).toHaveLength(5)
  expect(await pathOver(4)).toBe('certificate-untrusted')
  const loop = new X509Certificate((await TestAuthority.create('Loop')).certificate)
  expect(trust.findPath({ leaf: loop, issuers: [loop], fault: null }, now)).toBe('certificate-untrusted')
})
