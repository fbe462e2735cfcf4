import { aNumber, nextId, time, wish } from './wish.js'

export const updateFirmware = (location: string) => {
  const at = new Date().toISOString()
  return wish(
    'UpdateFirmware',
    { location, retrieveDate: at },
    'firmware/update',
    { location, retrieveAt: at },
    { location, retrieveDate: time },
  )
}

export interface SignedFirmware {
  location: string
  signingCertificate: string
  signature: string
}

/** The number of the request is the operator's where it writes the CALL itself, else Busbar's. */
export const updateSignedFirmware = (firmware: SignedFirmware) => {
  const at = new Date().toISOString()
  return wish(
    'SignedUpdateFirmware',
    { requestId: nextId(), firmware: { ...firmware, retrieveDateTime: at } },
    'firmware/update-signed',
    { ...firmware, retrieveAt: at },
    { requestId: aNumber, firmware: { ...firmware, retrieveDateTime: time } },
  )
}

export interface Span {
  from?: string
  to?: string
  retries?: number
  retryIntervalSeconds?: number
}

export const getDiagnostics = (location: string, span: Span = {}) => {
  const { from, to, retries, retryIntervalSeconds } = span
  return wish(
    'GetDiagnostics',
    {
      location,
      ...(from !== undefined && { startTime: from }),
      ...(to !== undefined && { stopTime: to }),
      ...(retries !== undefined && { retries }),
      ...(retryIntervalSeconds !== undefined && { retryInterval: retryIntervalSeconds }),
    },
    'diagnostics',
    { location, ...span },
  )
}

export const getLog = (type: 'security' | 'diagnostics', location: string) => {
  const logType = type === 'security' ? 'SecurityLog' : 'DiagnosticsLog'
  return wish(
    'GetLog',
    { logType, requestId: nextId(), log: { remoteLocation: location } },
    'log',
    { type, location },
    { logType, requestId: aNumber, log: { remoteLocation: location } },
  )
}
