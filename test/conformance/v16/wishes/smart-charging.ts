import { aNumber, inMinutes, nextId, time, wish } from './wish.js'

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
