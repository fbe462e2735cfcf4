import type { Exchange } from './strict-station.js'
import { isOctt, type Row } from './v16/rows.js'

/** What became of one case in one set-up and order. */
export interface Played {
  id: string
  /** `embedded`, or `embedded, random order 1`. */
  set: string
  /** null for a case that passed. */
  reason: string | null
  exchanges: readonly Exchange[]
}

/** A case counts as passed where it passed in every set; one that was not played did not pass. */
function reasonsOf(row: Row, sets: readonly string[], played: readonly Played[]): string[] {
  return sets.flatMap((set) => {
    const found = played.find((each) => each.id === row.id && each.set === set)
    if (found?.reason === null) return []
    return [`${set}: ${found ? found.reason : 'not played'}`]
  })
}

export interface Summary {
  passed: boolean
  text: string
}

/** The table of cases, the times, the sheet of features, and the line that a certificate would want. */
export function summarize(rows: readonly Row[], sets: readonly string[], played: readonly Played[]): Summary {
  const reasons = new Map(rows.map((row) => [row.id as string, reasonsOf(row, sets, played)]))
  const count = (kind: readonly Row[]) => {
    const passed = kind.filter(({ id }) => reasons.get(id)?.length === 0).length
    return `${passed} of ${kind.length}`
  }
  const table = rows.flatMap((row) => {
    const wrong = reasons.get(row.id) ?? []
    return [
      line(wrong.length === 0 ? 'pass' : 'FAIL', row.id, row.title),
      ...wrong.map((reason) => `${' '.repeat(24)}${reason}`),
    ]
  })
  const octt = rows.filter(({ id }) => isOctt(id))
  const derived = rows.filter(({ id }) => !isOctt(id))
  return {
    passed: [...reasons.values()].every((wrong) => wrong.length === 0),
    text: [
      ...['Cases', '', ...table, ''],
      ...['Answers of Busbar, ms (goal: average at most 5, at most 100)', '', ...times(sets, played), ''],
      ...['Features, with the cases that played them', '', ...features(rows, reasons, played), ''],
      `1.6: ${count(octt)} OCTT cases, ${count(derived)} derived`,
    ].join('\n'),
  }
}

const line = (result: string, id: string, title: string) => `${result.padEnd(6)}${id.padEnd(18)}${title}`

function times(sets: readonly string[], played: readonly Played[]): string[] {
  const heading = `${'set-up'.padEnd(28)}${'message'.padEnd(34)}${['count', 'min', 'average', 'max'].map((text) => text.padStart(9)).join('')}`
  const lines = sets.flatMap((set) => {
    const answered = played
      .filter((each) => each.set === set)
      .flatMap(({ exchanges }) => exchanges)
      .flatMap(({ action, answeredMs }) => (answeredMs === null ? [] : [{ action, answeredMs }]))
    const actions = [...new Set(answered.map(({ action }) => action))].sort()
    return [null, ...actions].map((action) => {
      const figures = answered
        .filter((each) => action === null || each.action === action)
        .map(({ answeredMs }) => answeredMs)
      return `${set.padEnd(28)}${(action ?? 'all calls').padEnd(34)}${columns(figures)}`
    })
  })
  return [heading, ...lines]
}

function columns(figures: readonly number[]): string {
  const sum = figures.reduce((total, each) => total + each, 0)
  const shown = [Math.min(...figures), sum / figures.length, Math.max(...figures)].map((each) => each.toFixed(1))
  return [String(figures.length), ...shown].map((text) => text.padStart(9)).join('')
}

/** Every message of the reference certificates' profiles, as far as the cases exchanged it; others stand under Core. */
function features(rows: readonly Row[], reasons: ReadonlyMap<string, string[]>, played: readonly Played[]): string[] {
  const order = [...new Set(rows.map(({ profile }) => profile))]
  const cases = new Map<string, Set<string>>()
  for (const { id, exchanges } of played) {
    for (const { action, direction } of exchanges) {
      const feature = `${profileOf(action).padEnd(22)}${action} ${direction === 'to-csms' ? 'from the station' : 'to the station'}`
      cases.set(feature, (cases.get(feature) ?? new Set()).add(id))
    }
  }
  for (const [feature, ids] of Object.entries(beyondMessages)) cases.set(feature, new Set(ids))
  const rank = (feature: string) => order.findIndex((profile) => feature.startsWith(profile))
  return [...cases]
    .sort(([left], [right]) => rank(left) - rank(right) || left.localeCompare(right))
    .map(([feature, ids]) => {
      const passed = [...ids].filter((id) => reasons.get(id)?.length === 0)
      const shown = [...ids].slice(0, 4).join(', ') + (ids.size > 4 ? ', ...' : '')
      return `${feature.padEnd(78)}${`${passed.length} of ${ids.size}`.padStart(10)}  ${shown}`
    })
}

/** Of the certificates' rows, those that are no message. */
const beyondMessages: Record<string, string[]> = {
  'Core                  WebSocket subprotocol': ['TC_088_CSMS'],
  'Core                  RPC framework, errors, queueing': Array.from(
    { length: 15 },
    (_, index) => `RPC16-${String(index + 6).padStart(2, '0')}`,
  ),
  'Core                  Offline sessions': ['TC_037_1_CSMS', 'TC_037_3_CSMS', 'TC_039_CSMS', 'TC_032_1_CSMS'],
  'Security              Profile 1, Basic authentication': ['TC_073_CSMS', 'TC_085_CSMS', 'RPC16-02', 'RPC16-03'],
  'Security              Profile 2, TLS with Basic authentication': ['TC_086_CSMS', 'RPC16-23'],
  'Security              Profile 3, TLS with client certificates': ['TC_087_CSMS', 'TC_074_CSMS', 'RPC16-23'],
  'Security              Upgrade of the profile, lower one refused': ['TC_083_CSMS', 'UC16-Sec-8'],
}

const profiles: Record<string, string[]> = {
  'Local Auth List': ['GetLocalListVersion', 'SendLocalList'],
  'Firmware Management': [
    ...['GetDiagnostics', 'DiagnosticsStatusNotification', 'FirmwareStatusNotification', 'UpdateFirmware'],
  ],
  Reservation: ['CancelReservation', 'ReserveNow'],
  'Remote Trigger': ['TriggerMessage'],
  'Smart Charging': ['ClearChargingProfile', 'GetCompositeSchedule', 'SetChargingProfile'],
  Security: [
    ...['CertificateSigned', 'DeleteCertificate', 'ExtendedTriggerMessage', 'GetInstalledCertificateIds', 'GetLog'],
    ...['InstallCertificate', 'LogStatusNotification', 'SecurityEventNotification', 'SignCertificate'],
    ...['SignedFirmwareStatusNotification', 'SignedUpdateFirmware'],
  ],
}

const profileOf = (action: string) =>
  Object.entries(profiles).find(([, actions]) => actions.includes(action))?.[0] ?? 'Core'
