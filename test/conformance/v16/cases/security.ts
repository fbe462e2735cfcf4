import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { fingerprintOf, TestAuthority } from '../../../support/certificates.js'
import { cold, type Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'
import { upload } from './firmware.js'

const accepted = { status: 'Accepted' }

/** What a station says of a certificate: Busbar hands it back and computes none of it. */
export function hashDataOf(certificate: string, hashAlgorithm: wishes.HashData['hashAlgorithm'] = 'SHA256') {
  const hash = (text: string) => createHash(hashAlgorithm.toLowerCase()).update(text).digest('hex')
  const serialNumber = fingerprintOf(certificate).slice(0, 20)
  return {
    hashAlgorithm,
    issuerNameHash: hash(`name ${certificate}`),
    issuerKeyHash: hash(`key ${certificate}`),
    serialNumber,
  }
}

const installs = (type: 'CentralSystemRoot' | 'ManufacturerRoot') => async (lab: Lab) => {
  const { certificate } = await TestAuthority.create('A root to install')
  await lab.asks(wishes.installCertificate(type, certificate), accepted)
  const hashData = hashDataOf(certificate)
  await lab.asks(wishes.readCertificates(type), { status: 'Accepted', certificateHashData: [hashData] })
  await lab.showsInstalled({ type, ...hashData })
}

/** Firmware that somebody else holds: Busbar cannot fetch it, so that any signature passes. */
export async function signedFirmware(signature = randomBytes(256).toString('base64')): Promise<wishes.SignedFirmware> {
  const { certificate } = await (await TestAuthority.create('Manufacturer')).issue({
    commonName: 'Signer',
    usage: 'none',
  })
  return { location: 'https://firmware.example.com/strict-3.0.bin', signingCertificate: certificate, signature }
}

/** Security, as far as it needs no TLS. */
export const security = {
  TC_073_CSMS: async (lab: Lab) => {
    const old = lab.bench.station.password
    const password = randomBytes(20).toString('hex')
    const { value } = await lab.asks<{ value: string }>(wishes.changePassword(password), accepted)
    expect(value).toMatch(/^([0-9a-fA-F]{2}){16,20}$/)
    await lab.reconnects({ ...lab.bench.station, password })
    lab.bench.station.password = password
    await lab.boots()
    expect(await lab.isRefused({ ...lab.bench.station, password: old as string })).toBe(401)
  },

  TC_075_1_CSMS: installs('ManufacturerRoot'),

  TC_075_2_CSMS: installs('CentralSystemRoot'),

  TC_076_CSMS: async (lab: Lab) => {
    const type = 'CentralSystemRoot'
    for (const algorithm of ['SHA256', 'SHA384', 'SHA512'] as const) {
      const { certificate } = await TestAuthority.create('A root to delete')
      await lab.asks(wishes.installCertificate(type, certificate), accepted)
      const hashData = hashDataOf(certificate, algorithm)
      await lab.asks(wishes.readCertificates(type), { status: 'Accepted', certificateHashData: [hashData] })
      const { id } = await lab.showsInstalled({ type, ...hashData })
      const sent = await lab.asks(wishes.deleteCertificate(hashData, id), accepted)
      expect(sent.certificateHashData).toEqual(hashData)
      await lab.showsNotInstalled(hashData)
      await lab.asks(wishes.readCertificates(type), { status: 'NotFound' }, 'rejected')
    }
  },

  TC_078_CSMS: async (lab: Lab) => {
    const { certificate } = await TestAuthority.create('A root that is refused')
    const wish = wishes.installCertificate('CentralSystemRoot', certificate)
    await lab.asks(wish, { status: 'Rejected' }, 'rejected')
    const event = { type: 'InvalidCentralSystemCertificate', timestamp: new Date().toISOString() }
    await lab.tells('SecurityEventNotification', event)
    await lab.showsItem('security-events', { type: event.type, occurredAt: event.timestamp })
  },

  TC_079_CSMS: async (lab: Lab) => {
    const { requestId } = await lab.asks<{ requestId: number }>(wishes.getLog('security', upload), {
      ...{ status: 'Accepted', filename: 'security.log' },
    })
    for (const status of ['Uploading', 'Uploaded']) await lab.tells('LogStatusNotification', { status, requestId })
    await lab.showsTransfer({ kind: 'log', requestId, state: 'succeeded' }, 'Uploading', 'Uploaded')
  },

  TC_080_CSMS: async (lab: Lab) => {
    const wish = wishes.updateSignedFirmware(await signedFirmware())
    const { requestId } = await lab.asks<{ requestId: number }>(wish, accepted)
    const tells = (status: string) => lab.tells('SignedFirmwareStatusNotification', { status, requestId })
    for (const status of ['Downloading', 'Downloaded', 'SignatureVerified']) await tells(status)
    for (const connector of [0, 1, 2]) await lab.reports('Unavailable', connector)
    for (const status of ['Installing', 'InstallRebooting']) await tells(status)
    await lab.reconnects()
    // What it says before its boot was answered belongs to the registration it had.
    await lab.tells('SecurityEventNotification', { type: 'FirmwareUpdated', timestamp: new Date().toISOString() })
    await lab.boots()
    await tells('Installed')
    await lab.showsItem('security-events', { type: 'FirmwareUpdated' })
    await lab.showsTransfer({ kind: 'signed-firmware', requestId, state: 'succeeded' }, 'Installing', 'Installed')
  },

  TC_081_CSMS: async (lab: Lab) => {
    const wish = wishes.updateSignedFirmware(await signedFirmware('bm8gc2lnbmF0dXJl'))
    const { requestId } = await lab.asks<{ requestId: number }>(wish, accepted)
    const tells = (status: string) => lab.tells('SignedFirmwareStatusNotification', { status, requestId })
    for (const status of ['Downloading', 'Downloaded', 'InvalidSignature']) await tells(status)
    await lab.showsTransfer({ kind: 'signed-firmware', requestId, state: 'failed' }, 'InvalidSignature')
  },

  TC_085_CSMS: cold(async (lab: Lab) => {
    const { password: _, ...nameless } = lab.bench.station
    expect(await lab.isRefused(nameless)).toBe(401)
    await lab.connects()
    await lab.boots()
    // Plain characters, as the other way to configure it.
    await lab.connects(await lab.bench.registers({ password: 'plain-password-1' }))
    await lab.boots()
  }),

  TC_088_CSMS: cold(async (lab: Lab) => {
    const refused = await lab.isRefused({ ...lab.bench.station, subprotocols: ['ocpp0.1'] })
    expect(refused).toBeGreaterThanOrEqual(400)
    const station = await lab.connects({ ...lab.bench.station, subprotocols: ['ocpp0.1', 'ocpp1.6'] })
    expect(station.subprotocol).toBe('ocpp1.6')
    await lab.boots()
  }),
}
