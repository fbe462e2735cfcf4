import type { Payload } from '../protocol.js'
import { billingCheck } from '../readers/findings.js'
import { readMeterValues201 } from '../readers/meter-values-201.js'
import { readTransactionEvent201 } from '../readers/transaction-event-201.js'
import { currentTime, registrationAnswer } from './answers.js'
import {
  type ActionRow,
  type AnswerKind,
  fromBoth,
  fromCsms,
  fromStation,
  type StationFlags,
  slowTimeoutMs,
} from './row.js'

/** OCPP 2.0.1 edition 3. */
export const actions201: readonly ActionRow[] = [
  // Asked or reported by the station
  fromStation('Authorize', {
    lane: 'transactions',
    answer: 'decision',
    secretPaths: [keyCode('idToken'), keyCode('response:idTokenInfo.groupIdToken')],
  }),
  fromStation('BootNotification', { lane: 'stations', answer: 'decision', safeAnswer: registrationAnswer }),
  fromStation('ClearedChargingLimit', { lane: 'smart-charging', answer: 'log' }),
  fromStation('FirmwareStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('Get15118EVCertificate', { lane: 'stations', answer: 'decision' }),
  fromStation('GetCertificateStatus', { lane: 'stations', answer: 'decision' }),
  fromStation('Heartbeat', { lane: 'stations', answer: 'local', logAnswer: currentTime }),
  fromStation('LogStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('MeterValues', { lane: 'transactions', answer: 'log', billing: billingCheck(readMeterValues201) }),
  fromStation('NotifyChargingLimit', { lane: 'smart-charging', answer: 'log' }),
  fromStation('NotifyCustomerInformation', { lane: 'stations', answer: 'log' }),
  fromStation('NotifyDisplayMessages', { lane: 'stations', answer: 'log' }),
  fromStation('NotifyEVChargingNeeds', { lane: 'smart-charging', answer: 'decision' }),
  fromStation('NotifyEVChargingSchedule', { lane: 'smart-charging', answer: 'decision' }),
  fromStation('NotifyEvent', {
    lane: 'stations',
    answer: 'log',
    secretPaths: secretVariables((filter) => `eventData[${filter}].actualValue`),
  }),
  fromStation('NotifyMonitoringReport', { lane: 'stations', answer: 'log' }),
  fromStation('NotifyReport', {
    lane: 'stations',
    answer: 'log',
    secretPaths: secretVariables((filter) => `reportData[${filter}].variableAttribute[].value`),
  }),
  fromStation('PublishFirmwareStatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('ReportChargingProfiles', { lane: 'smart-charging', answer: 'log' }),
  fromStation('ReservationStatusUpdate', { lane: 'reservations', answer: 'log' }),
  fromStation('SecurityEventNotification', { lane: 'stations', answer: 'log' }),
  fromStation('SignCertificate', { lane: 'stations', answer: 'decision' }),
  fromStation('StatusNotification', { lane: 'stations', answer: 'log' }),
  fromStation('TransactionEvent', {
    lane: 'transactions',
    answer: transactionEventAnswer,
    safeAnswer: ({ idToken }) => (idToken === undefined ? {} : { idTokenInfo: { status: 'Accepted' } }),
    billing: billingCheck(readTransactionEvent201),
    secretPaths: [keyCode('idToken'), keyCode('response:idTokenInfo.groupIdToken')],
  }),

  fromBoth('DataTransfer', { lane: 'stations', answer: 'decision' }),

  // Sent by the CSMS
  fromCsms('CancelReservation'),
  fromCsms('CertificateSigned'),
  fromCsms('ChangeAvailability'),
  fromCsms('ClearCache'),
  fromCsms('ClearChargingProfile'),
  fromCsms('ClearDisplayMessage'),
  fromCsms('ClearVariableMonitoring'),
  fromCsms('CostUpdated'),
  fromCsms('CustomerInformation', { secretPaths: [keyCode('idToken')] }),
  fromCsms('DeleteCertificate'),
  fromCsms('GetBaseReport'),
  fromCsms('GetChargingProfiles'),
  fromCsms('GetCompositeSchedule'),
  fromCsms('GetDisplayMessages'),
  fromCsms('GetInstalledCertificateIds'),
  fromCsms('GetLocalListVersion'),
  fromCsms('GetLog', { secretPaths: ['log.remoteLocation@url'] }),
  fromCsms('GetMonitoringReport'),
  fromCsms('GetReport'),
  fromCsms('GetTransactionStatus'),
  fromCsms('GetVariables', {
    secretPaths: secretVariables((filter) => `response:getVariableResult[${filter}].attributeValue`),
    bookkeepers: ['stations'],
  }),
  fromCsms('InstallCertificate'),
  fromCsms('PublishFirmware', { secretPaths: ['location@url'] }),
  fromCsms('RequestStartTransaction', { secretPaths: [keyCode('idToken'), keyCode('groupIdToken')] }),
  fromCsms('RequestStopTransaction'),
  fromCsms('ReserveNow', { secretPaths: [keyCode('idToken'), keyCode('groupIdToken')] }),
  fromCsms('Reset'),
  fromCsms('SendLocalList', {
    timeoutMs: slowTimeoutMs,
    secretPaths: [
      keyCode('localAuthorizationList[].idToken'),
      keyCode('localAuthorizationList[].idTokenInfo.groupIdToken'),
    ],
  }),
  fromCsms('SetChargingProfile'),
  fromCsms('SetDisplayMessage'),
  fromCsms('SetMonitoringBase'),
  fromCsms('SetMonitoringLevel'),
  fromCsms('SetNetworkProfile', {
    secretPaths: [
      'connectionData.apn.apnPassword',
      'connectionData.apn.simPin@integer',
      'connectionData.ocppCsmsUrl@url',
      'connectionData.vpn.password',
      'connectionData.vpn.key',
      // 2.1 only: the password of the station itself.
      'connectionData.basicAuthPassword',
    ],
  }),
  fromCsms('SetVariableMonitoring'),
  fromCsms('SetVariables', {
    secretPaths: secretVariables((filter) => `setVariableData[${filter}].attributeValue`),
    bookkeepers: ['stations'],
  }),
  fromCsms('TriggerMessage'),
  fromCsms('UnlockConnector', { timeoutMs: slowTimeoutMs }),
  fromCsms('UnpublishFirmware'),
  fromCsms('UpdateFirmware', { secretPaths: ['firmware.location@url'] }),
]

/** Reasons of an Updated event that says no more than what was metered (2.0.1 part 2 §3 TriggerReasonEnumType). */
const meteringReasons: readonly unknown[] = ['MeterValueClock', 'MeterValuePeriodic', 'SignedDataReceived', 'Trigger']

/** On log for an event that only meters: no token to judge, no cost to tell, no remote start to match. */
function transactionEventAnswer(payload: Payload, flags: StationFlags): AnswerKind {
  const { eventType, triggerReason, idToken, transactionInfo } = payload
  const onlyMeters =
    eventType === 'Updated' &&
    meteringReasons.includes(triggerReason) &&
    idToken === undefined &&
    (transactionInfo as Payload | undefined)?.remoteStartId === undefined
  return onlyMeters && !flags.tariff ? 'log' : 'decision'
}

/** A token somebody types is a password; the other types are printed on cards or sent by cars. */
function keyCode(path: string): string {
  return `${path}[type=KeyCode].idToken`
}

/** SecurityCtrlr.BasicAuthPassword and the passwords and keys of NetworkConfiguration, and what vendors add. */
function secretVariables(path: (filter: string) => string): string[] {
  return ['*password*', 'VpnKey'].map((name) => path(`variable.name=${name}`))
}
