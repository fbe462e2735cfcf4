import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { TestAuthority } from '../../../support/certificates.js'
import { type Lab, minutesAgo } from '../lab.js'
import * as wishes from '../wishes/index.js'
import { upload } from './firmware.js'
import { hashDataOf, signedFirmware } from './security.js'
import { energy } from './trigger.js'

const accepted = { status: 'Accepted' }

/** Security extension (derived), as far as it needs no TLS. */
export const securityDerived = {
  'UC16-Sec-2': async (lab: Lab) => {
    const asks = (message: string, connector?: number) => lab.asks(wishes.extendedTrigger(message, connector), accepted)
    await asks('BootNotification')
    await lab.boots()
    await asks('LogStatusNotification')
    await lab.tells('LogStatusNotification', { status: 'Idle' })
    await asks('FirmwareStatusNotification')
    await lab.tells('SignedFirmwareStatusNotification', { status: 'Idle' })
    await asks('Heartbeat')
    await lab.beats()
    await asks('MeterValues', 1)
    await lab.tells('MeterValues', { connectorId: 1, meterValue: [energy('1000')] })
    await asks('StatusNotification', 1)
    await lab.reports('Available')
    for (const status of ['Rejected', 'NotImplemented']) {
      await lab.asks(wishes.extendedTrigger('SignChargePointCertificate'), { status }, 'rejected')
    }
  },

  'UC16-Sec-3': async (lab: Lab) => {
    const events = [
      { type: 'SettingSystemTime', timestamp: minutesAgo(60 * 24 * 30).toISOString(), techInfo: 'drifted by 3 s' },
      { type: 'VendorsOwnKind', timestamp: new Date().toISOString() },
    ]
    for (const event of events) {
      await lab.tells('SecurityEventNotification', event)
      const { timestamp: occurredAt, ...rest } = event
      await lab.showsItem('security-events', { ...rest, occurredAt })
    }
  },

  'UC16-Sec-4': async (lab: Lab) => {
    for (const status of ['Rejected', 'InvalidCertificate', 'RevokedCertificate']) {
      const wish = wishes.updateSignedFirmware(await signedFirmware())
      const { requestId } = await lab.asks<{ requestId: number }>(wish, { status }, 'rejected')
      await lab.showsTransfer({ kind: 'signed-firmware', requestId, state: 'rejected' })
    }
    const first = wishes.updateSignedFirmware(await signedFirmware())
    const { requestId: replaced } = await lab.asks<{ requestId: number }>(first, accepted)
    const second = wishes.updateSignedFirmware(await signedFirmware())
    const { requestId } = await lab.asks<{ requestId: number }>(second, { status: 'AcceptedCanceled' })
    await lab.showsTransfer({ kind: 'signed-firmware', requestId: replaced, state: 'superseded' })
    const statuses = [
      ...['DownloadScheduled', 'DownloadPaused', 'InstallScheduled', 'InstallVerificationFailed'],
      ...['InstallationFailed', 'DownloadFailed'],
    ]
    for (const status of statuses) await lab.tells('SignedFirmwareStatusNotification', { status, requestId })
    await lab.tells('SignedFirmwareStatusNotification', { status: 'Idle' })
    await lab.showsTransfer({ kind: 'signed-firmware', requestId, state: 'failed' }, ...statuses)
  },

  'UC16-Sec-5': async (lab: Lab) => {
    const refused = await lab.asks<{ requestId: number }>(
      ...([wishes.getLog('diagnostics', upload), { status: 'Rejected' }, 'rejected'] as const),
    )
    await lab.showsTransfer({ kind: 'log', requestId: refused.requestId, state: 'rejected' })
    for (const status of ['BadMessage', 'NotSupportedOperation', 'PermissionDenied', 'UploadFailure']) {
      const wish = wishes.getLog('diagnostics', upload)
      const { requestId } = await lab.asks<{ requestId: number }>(wish, { status: 'AcceptedCanceled' })
      await lab.tells('LogStatusNotification', { status, requestId })
      await lab.showsTransfer({ kind: 'log', requestId, state: 'failed' }, status)
    }
  },

  'UC16-Sec-6': async (lab: Lab) => {
    const { certificate } = await TestAuthority.create('A root that fails')
    const install = wishes.installCertificate('ManufacturerRoot', certificate)
    await lab.asks(install, { status: 'Failed' }, 'rejected')
    await lab.asks(wishes.readCertificates('ManufacturerRoot'), { status: 'NotFound' }, 'rejected')
    for (const status of ['Failed', 'NotFound']) {
      await lab.asks(wishes.deleteCertificate(hashDataOf(certificate)), { status }, 'rejected')
    }
    await lab.showsNotInstalled(hashDataOf(certificate))
  },

  'UC16-Sec-7': async (lab: Lab) => {
    for (const status of ['Rejected', 'NotSupported']) {
      const password = randomBytes(20).toString('hex')
      await lab.asks(wishes.changePassword(password), { status }, 'rejected')
      await lab.reconnects()
      await lab.boots()
      expect(await lab.isRefused({ ...lab.bench.station, password })).toBe(401)
      const { rows } = await lab.system.database.query<{ found: boolean }>(
        `SELECT EXISTS (SELECT FROM journal_frame WHERE position(convert_to($1, 'UTF8') IN frame) > 0)
             OR EXISTS (SELECT FROM command WHERE payload::text || calls::text LIKE '%' || $1 || '%')
             OR EXISTS (SELECT FROM station_secret WHERE hash LIKE '%' || $1 || '%') AS found`,
        [password],
      )
      expect(rows[0]?.found).toBe(false)
      expect(await lab.system.logs()).not.toContain(password)
    }
  },

  'UC16-Sec-8': async (lab: Lab) => {
    const decided = () => lab.system.api.get<{ securityProfile: number }>(lab.path(''))
    const { securityProfile } = await decided()
    // A lower one is refused before it is sent, where Busbar builds it; as a raw command it is the station's to refuse.
    if (lab.mode === 'raw') await lab.asks(wishes.changeSecurityProfile(0), { status: 'Rejected' }, 'rejected')
    else await lab.mayNotAsk(wishes.changeSecurityProfile(1))
    await lab.asks(wishes.changeSecurityProfile(2), { status: 'Rejected' }, 'rejected')
    expect((await decided()).securityProfile).toBe(securityProfile)
    await lab.reconnects()
    await lab.boots()
  },
}
