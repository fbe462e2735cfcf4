/** What an operator may switch on for one station: tolerances that can hurt, and reactions. */
export interface StationSwitch {
  type: 'boolean' | 'number' | 'text'
  description: string
  /** Of a number. */
  min?: number
  max?: number
}

const flag = (description: string): StationSwitch => ({ type: 'boolean', description })
const number = (description: string, min: number, max: number): StationSwitch => ({
  type: 'number',
  description,
  min,
  max,
})

/** Every switch there is, by name. What is not set is off. */
export const stationSwitches: Readonly<Record<string, StationSwitch>> = {
  // Connection
  protocolWithoutHeader: { type: 'text', description: 'The version assumed when the upgrade names none' },
  ignoreMissingPong: flag('A missing pong is no sign of death; two missed Heartbeats are'),
  anyPassword: flag('Takes passwords of less than 16 characters, an empty one included'),
  callPauseMs: number('Milliseconds of rest before each of our calls', 0, 60_000),
  callsOnlyAfterBoot: flag('Our calls wait until the station was accepted'),

  checkCsrSubject: flag('A certificate is signed only for a subject of CN=<serial number>, O=<operator>'),

  // Messages
  tolerateInvalid: flag('Wrong messages of any action are accepted and counted'),
  neverChangeAvailability: flag('The typed endpoint sends no ChangeAvailability: it does harm'),

  // Charging
  maxPowerW: number('The most that one EVSE can deliver, in W: a session of more is held, not billed', 1, 10_000_000),
  tariff: flag('Meter readings are answered with the running cost'),
  acceptEmptyIdTag: flag('An empty idTag charges: the station is free to all'),
  idTagBeforeUnderscore: flag('Of an idTag what stands before the first underscore counts'),
  endSuperseded: flag('A new start on a connector ends the transaction before it, at its last reading'),
  chargingProfileStackLevelZero: flag('Profiles are sent with stack level 0'),
  chargingProfileRelativeOnly: flag('Profiles are sent as Relative'),
  chargingProfileAbsoluteOnly: flag('Profiles are sent as Absolute'),
  chargingProfileWattsOnly: flag('Limits are sent in W'),
  chargingProfileConnectorZero: flag('Profiles are set at connector 0'),
  chargingProfileNotInRemoteStart: flag('A remote start goes out without its profile'),

  // Alerts, instead of the deployment's settings; 0 is never
  alertOfflineMinutes: number('An alert after so many minutes without a connection', 0, 525_600),
  alertFaultedMinutes: number('An alert after so many minutes in status Faulted', 0, 525_600),
  alertSilentIntervals: number(
    'An alert after so many heartbeat intervals of a connected station without a word',
    0,
    1_000,
  ),
  alertStuckHours: number('An alert after so many hours without a word about an active transaction', 0, 8_760),
  alertRefusedAttempts: number('An alert after so many refused attempts to connect', 0, 1_000_000),

  // Reactions: calls that nobody asked for
  localListFallback: flag('A refused differential list leads to one version query and one full list'),
  localListSync: flag('The local list is kept in step with the tokens'),
  renewCertificates: flag('Certificates that end soon are renewed by a trigger'),
  setHeartbeatInterval: flag('After each boot HeartbeatInterval is set by ChangeConfiguration'),
}

/** @returns what is wrong with it, or null */
export function findSwitchFault(name: string, value: unknown): string | null {
  const known = Object.hasOwn(stationSwitches, name) ? stationSwitches[name] : undefined
  if (!known) return 'There is no switch of this name'
  const type = known.type === 'text' ? 'string' : known.type
  if (typeof value !== type) return `It is a ${known.type}`
  const { min = -Infinity, max = Infinity } = known
  return typeof value === 'number' && (value < min || value > max) ? `It is from ${min} to ${max}` : null
}
