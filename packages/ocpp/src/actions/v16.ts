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
  fromStation('BootNotification', {
    lane: 'stations',
    answer: 'decision',
    safeAnswer: registrationAnswer,
    tolerates: ['text-too-long'],
  }),
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
  fromCsms('CancelReservation', { bookkeepers: ['reservations'] }),
  fromCsms('CertificateSigned', { bookkeepers: ['stations'] }),
  fromCsms('ChangeAvailability', { bookkeepers: ['stations'] }),
  fromCsms('ChangeConfiguration', {
    secretPaths: secretKeys.map((key) => `[key=${key}].value`),
    bookkeepers: ['stations'],
  }),
  fromCsms('ClearCache'),
  fromCsms('ClearChargingProfile', { bookkeepers: ['smart-charging'] }),
  fromCsms('DeleteCertificate', { bookkeepers: ['stations'] }),
  fromCsms('ExtendedTriggerMessage'),
  fromCsms('GetCompositeSchedule', { bookkeepers: ['smart-charging'] }),
  fromCsms('GetConfiguration', {
    secretPaths: secretKeys.map((key) => `response:configurationKey[key=${key}].value`),
    bookkeepers: ['stations'],
  }),
  fromCsms('GetDiagnostics', { secretPaths: ['location@url'], bookkeepers: ['stations'] }),
  fromCsms('GetInstalledCertificateIds', { bookkeepers: ['stations'] }),
  fromCsms('GetLocalListVersion', { bookkeepers: ['stations'] }),
  fromCsms('GetLog', { secretPaths: ['log.remoteLocation@url'], bookkeepers: ['stations'] }),
  fromCsms('InstallCertificate', { bookkeepers: ['stations'] }),
  fromCsms('RemoteStartTransaction', { bookkeepers: ['smart-charging'] }),
  fromCsms('RemoteStopTransaction'),
  fromCsms('ReserveNow', { bookkeepers: ['reservations'] }),
  fromCsms('Reset'),
  fromCsms('SendLocalList', { timeoutMs: slowTimeoutMs, bookkeepers: ['stations'] }),
  fromCsms('SetChargingProfile', { bookkeepers: ['smart-charging'] }),
  fromCsms('SignedUpdateFirmware', { secretPaths: ['firmware.location@url'], bookkeepers: ['stations'] }),
  fromCsms('TriggerMessage'),
  fromCsms('UnlockConnector', { timeoutMs: slowTimeoutMs }),
  fromCsms('UpdateFirmware', { secretPaths: ['location@url'], bookkeepers: ['stations'] }),
]
