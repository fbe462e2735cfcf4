import { billingCheck } from '../readers/findings.js'
import { readMeterValues16 } from '../readers/meter-values-16.js'
import { readStartTransaction16 } from '../readers/start-transaction-16.js'
import { readStopTransaction16 } from '../readers/stop-transaction-16.js'
import { currentTime, registrationAnswer } from './answers.js'
import { type ActionRow, fromBoth, fromCsms, fromStation, slowTimeoutMs } from './row.js'

/** Keys of ChangeConfiguration and GetConfiguration that hold secrets: the standard's, and what vendors call theirs. */
const secretKeys = ['AuthorizationKey', '*password*', '*secret*']

/** OCPP 1.6 edition 2, and the security white paper edition 3. */
export const actions16: readonly ActionRow[] = [
  // Asked or reported by the station
  fromStation('Authorize', { lane: 'transactions', answer: 'decision' }),
  fromStation('BootNotification', { lane: 'stations', answer: 'decision', safeAnswer: registrationAnswer }),
  fromStation('DiagnosticsStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('FirmwareStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('Heartbeat', { lane: 'stations', answer: 'local', logAnswer: currentTime }),
  fromStation('LogStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('MeterValues', { lane: 'transactions', answer: 'log', billing: billingCheck(readMeterValues16) }),
  fromStation('SecurityEventNotification', { lane: 'stations', answer: 'log' }),
  fromStation('SignCertificate', { lane: 'stations', answer: 'decision' }),
  fromStation('SignedFirmwareStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('StartTransaction', {
    lane: 'transactions',
    answer: 'decision',
    safeAnswer: (_payload, { transactionId }) => {
      if (transactionId === undefined) throw new TypeError('A StartTransaction is logged with its transactionId')
      return { transactionId, idTagInfo: { status: 'Accepted' } }
    },
    billing: billingCheck(readStartTransaction16),
  }),
  fromStation('StatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('StopTransaction', {
    lane: 'transactions',
    answer: 'decision',
    safeAnswer: ({ idTag }) => (idTag ? { idTagInfo: { status: 'Accepted' } } : {}),
    billing: billingCheck(readStopTransaction16),
  }),

  fromBoth('DataTransfer', { lane: 'stations', answer: 'decision' }),

  // Sent by the CSMS
  fromCsms('CancelReservation'),
  fromCsms('CertificateSigned'),
  fromCsms('ChangeAvailability'),
  fromCsms('ChangeConfiguration', { secretPaths: secretKeys.map((key) => `[key=${key}].value`) }),
  fromCsms('ClearCache'),
  fromCsms('ClearChargingProfile'),
  fromCsms('DeleteCertificate'),
  fromCsms('ExtendedTriggerMessage'),
  fromCsms('GetCompositeSchedule'),
  fromCsms('GetConfiguration', {
    secretPaths: secretKeys.map((key) => `response:configurationKey[key=${key}].value`),
  }),
  fromCsms('GetDiagnostics', { secretPaths: ['location@userinfo'] }),
  fromCsms('GetInstalledCertificateIds'),
  fromCsms('GetLocalListVersion'),
  fromCsms('GetLog', { secretPaths: ['log.remoteLocation@userinfo'] }),
  fromCsms('InstallCertificate'),
  fromCsms('RemoteStartTransaction'),
  fromCsms('RemoteStopTransaction'),
  fromCsms('ReserveNow'),
  fromCsms('Reset'),
  fromCsms('SendLocalList', { timeoutMs: slowTimeoutMs }),
  fromCsms('SetChargingProfile'),
  fromCsms('SignedUpdateFirmware', { secretPaths: ['firmware.location@userinfo'] }),
  fromCsms('TriggerMessage'),
  fromCsms('UnlockConnector', { timeoutMs: slowTimeoutMs }),
  fromCsms('UpdateFirmware', { secretPaths: ['location@userinfo'] }),
]
