import { expect } from 'vitest'

/** What an operator wants of a station: as the CALL itself, and in the words of a typed endpoint. */
export interface Wish {
  action: string
  /** Of the CALL, as `POST .../commands` takes it. */
  payload: Record<string, unknown>
  /** Of the typed endpoint. */
  path: string
  body: object
  /** The CALL that Busbar builds out of `body`; without it, one equal to `payload`. */
  sent?: unknown
}

const wish = (action: string, payload: object, path: string, body: object, sent?: unknown): Wish => ({
  ...{ action, payload: payload as Record<string, unknown>, path, body },
  ...(sent !== undefined && { sent }),
})

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const aNumber = expect.any(Number)
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()

let lastId = Math.floor(Date.now() / 1_000) % 1_000_000_000

/** For what the operator numbers when it writes the CALL itself: never the same twice. */
export const nextId = () => ++lastId

export const clearCache = () => wish('ClearCache', {}, 'clear-cache', {})

export const reset = (type: 'Hard' | 'Soft') => wish('Reset', { type }, 'reset', { type: type.toLowerCase() })

export const unlock = (connectorId: number) =>
  wish('UnlockConnector', { connectorId }, 'unlock', { connector: connectorId })

export const availability = (connector: number, operative: boolean) =>
  wish(
    'ChangeAvailability',
    { connectorId: connector, type: operative ? 'Operative' : 'Inoperative' },
    'availability',
    { connector, operative },
  )

export const remoteStart = (token: string, connector?: number) =>
  wish(
    'RemoteStartTransaction',
    { idTag: token, ...(connector !== undefined && { connectorId: connector }) },
    'remote-start',
    { token, ...(connector !== undefined && { connector }) },
  )

/** By the id on the wire, or by Busbar's own. */
export const remoteStop = (transactionId: number, transaction?: string) =>
  wish(
    'RemoteStopTransaction',
    { transactionId },
    'remote-stop',
    transaction === undefined ? { transactionId } : { transaction },
  )

export const getConfiguration = (keys?: string[]) =>
  wish('GetConfiguration', keys ? { key: keys } : {}, 'configuration/read', keys ? { keys } : {})

export const changeConfiguration = (key: string, value: string) =>
  wish('ChangeConfiguration', { key, value }, 'configuration/change', { key, value })

export const dataTransfer = (vendorId: string, messageId: string, data: string) =>
  wish('DataTransfer', { vendorId, messageId, data }, 'data-transfer', { vendorId, messageId, data })

export const trigger = (message: string, connector?: number) =>
  wish(
    'TriggerMessage',
    { requestedMessage: message, ...(connector !== undefined && { connectorId: connector }) },
    'trigger',
    { message, ...(connector !== undefined && { connector }) },
  )

export const extendedTrigger = (message: string, connector?: number) =>
  wish(
    'ExtendedTriggerMessage',
    { requestedMessage: message, ...(connector !== undefined && { connectorId: connector }) },
    'trigger',
    { message, extended: true, ...(connector !== undefined && { connector }) },
  )

// ---- Local list

export const listVersion = () => wish('GetLocalListVersion', {}, 'local-list/version', {})

const entry = (idTag: string) => ({ idTag, idTagInfo: { status: 'Accepted' } })
const anEntry = (idTag: string) => ({ idTag, idTagInfo: expect.objectContaining({ status: 'Accepted' }) })

/** The version is the operator's where it writes the CALL itself, else Busbar's. */
export const sendList = (mode: 'full' | 'differential', version: number, tokens: string[], remove: string[] = []) => {
  const updateType = mode === 'full' ? 'Full' : 'Differential'
  const removed = remove.map((idTag) => ({ idTag }))
  return wish(
    'SendLocalList',
    { listVersion: version, updateType, localAuthorizationList: [...tokens.map(entry), ...removed] },
    'local-list/send',
    { mode, tokens, ...(remove.length > 0 && { remove }) },
    {
      listVersion: aNumber,
      updateType,
      localAuthorizationList: expect.arrayContaining([...tokens.map(anEntry), ...removed]),
    },
  )
}

// ---- Reservations

export interface Reserve {
  connector: number
  token: string
  group?: string
  minutes?: number
  reservationId?: number
}

/** The number of the reservation is the operator's where it writes the CALL itself, else Busbar's. */
export const reserve = ({ connector, token, group, minutes = 30, reservationId }: Reserve) => {
  const wished = { connectorId: connector, idTag: token, ...(group !== undefined && { parentIdTag: group }) }
  return wish(
    'ReserveNow',
    { ...wished, reservationId: reservationId ?? nextId(), expiryDate: inMinutes(minutes) },
    'reservations',
    {
      ...{ connector, token, expiresAt: inMinutes(minutes) },
      ...(group !== undefined && { group }),
      ...(reservationId !== undefined && { reservationId }),
    },
    { ...wished, reservationId: reservationId ?? aNumber, expiryDate: time },
  )
}

export const cancelReservation = (reservationId: number) =>
  wish('CancelReservation', { reservationId }, 'reservations/cancel', { reservationId })

// ---- Smart charging

export interface Profile {
  purpose: 'ChargePointMaxProfile' | 'TxDefaultProfile' | 'TxProfile'
  kind: 'Absolute' | 'Recurring' | 'Relative'
  recurrency?: 'Daily' | 'Weekly'
  stackLevel?: number
  profileId?: number
  transactionId?: number
  limit?: number
  unit?: 'A' | 'W'
  periods?: { start: number; limit: number; phases?: number }[]
}

/** An hour from now on, for kinds that have dates. */
function spanOf({ kind }: Profile) {
  const start = new Date().toISOString()
  return kind === 'Relative' ? {} : { validFrom: start, validTo: inMinutes(60), startAt: start }
}

const durationSeconds = 3_600

/** A ProfileDraft and the csChargingProfiles it stands for. */
function profileOf(profile: Profile) {
  const { purpose, kind, recurrency, stackLevel = 0, profileId, transactionId, unit = 'A', limit = 6 } = profile
  const { periods = [{ start: 0, limit, phases: 3 }] } = profile
  const { startAt, ...validity } = spanOf(profile)
  const wire = {
    chargingProfileId: profileId ?? nextId(),
    stackLevel,
    chargingProfilePurpose: purpose,
    chargingProfileKind: kind,
    ...(transactionId !== undefined && { transactionId }),
    ...(recurrency !== undefined && { recurrencyKind: recurrency }),
    ...validity,
    chargingSchedule: {
      duration: durationSeconds,
      ...(startAt !== undefined && { startSchedule: startAt }),
      chargingRateUnit: unit,
      chargingSchedulePeriod: periods.map(({ start, limit, phases }) => ({
        ...{ startPeriod: start, limit },
        ...(phases !== undefined && { numberPhases: phases }),
      })),
    },
  }
  const draft = {
    ...{ purpose, kind, stackLevel, unit, durationSeconds, periods },
    ...(recurrency !== undefined && { recurrency }),
    ...(profileId !== undefined && { profileId }),
    ...(transactionId !== undefined && { transactionId }),
    ...(startAt !== undefined && { startAt }),
    ...validity,
  }
  const schedule = { ...wire.chargingSchedule, ...(startAt !== undefined && { startSchedule: time }) }
  const dates = 'validFrom' in validity ? { validFrom: time, validTo: time } : {}
  const sent = { ...wire, ...dates, chargingProfileId: profileId ?? aNumber, chargingSchedule: schedule }
  return { wire, draft, sent }
}

/** As far as cases look into it. */
export interface SentProfile {
  csChargingProfiles: {
    chargingProfileId: number
    chargingSchedule: { chargingSchedulePeriod: { startPeriod: number; limit: number }[] }
  }
}

export const setProfile = (connector: number, profile: Profile) => {
  const { wire, draft, sent } = profileOf(profile)
  return wish(
    'SetChargingProfile',
    { connectorId: connector, csChargingProfiles: wire },
    'charging-profiles',
    { connector, profile: draft },
    { connectorId: connector, csChargingProfiles: sent },
  )
}

export const remoteStartWithProfile = (token: string, connector: number, profile: Profile) => {
  const { wire, draft, sent } = profileOf(profile)
  return wish(
    'RemoteStartTransaction',
    { idTag: token, connectorId: connector, chargingProfile: wire },
    'remote-start',
    { token, connector, chargingProfile: draft },
    { idTag: token, connectorId: connector, chargingProfile: sent },
  )
}

export interface Clear {
  profileId?: number
  connector?: number
  purpose?: string
  stackLevel?: number
}

export const clearProfile = (clear: Clear) => {
  const { profileId, connector, purpose, stackLevel } = clear
  return wish(
    'ClearChargingProfile',
    {
      ...(profileId !== undefined && { id: profileId }),
      ...(connector !== undefined && { connectorId: connector }),
      ...(purpose !== undefined && { chargingProfilePurpose: purpose }),
      ...(stackLevel !== undefined && { stackLevel }),
    },
    'charging-profiles/clear',
    clear,
  )
}

export const compositeSchedule = (connector: number, duration: number, unit: 'A' | 'W') =>
  wish(
    'GetCompositeSchedule',
    { connectorId: connector, duration, chargingRateUnit: unit },
    'composite-schedule/read',
    { connector, durationSeconds: duration, unit },
  )

// ---- Files

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

// ---- Security

/** @param hex of the new password's bytes */
export const changePassword = (hex: string) =>
  wish('ChangeConfiguration', { key: 'AuthorizationKey', value: hex }, 'password', { password: hex })

export const changeSecurityProfile = (profile: number) =>
  wish('ChangeConfiguration', { key: 'SecurityProfile', value: String(profile) }, 'security-profile', { profile })

export const renewCertificate = () =>
  wish('ExtendedTriggerMessage', { requestedMessage: 'SignChargePointCertificate' }, 'certificates/renew', {})

type RootType = 'CentralSystemRoot' | 'ManufacturerRoot'

export const installCertificate = (type: RootType, certificate: string) =>
  wish('InstallCertificate', { certificateType: `${type}Certificate`, certificate }, 'certificates/install', {
    type,
    certificate,
  })

export const readCertificates = (type: RootType) =>
  wish('GetInstalledCertificateIds', { certificateType: `${type}Certificate` }, 'certificates/read', { type })

export interface HashData {
  hashAlgorithm: 'SHA256' | 'SHA384' | 'SHA512'
  issuerNameHash: string
  issuerKeyHash: string
  serialNumber: string
}

/** By the row in Busbar's books, where there is one. */
export const deleteCertificate = (hashData: HashData, certificateId?: string) =>
  wish(
    'DeleteCertificate',
    { certificateHashData: hashData },
    'certificates/delete',
    certificateId === undefined ? { hashData } : { certificateId },
  )
