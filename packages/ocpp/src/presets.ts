/** Switches that stations of one make need, by what is known of them in the field. */
export interface Preset {
  name: string
  description: string
  /** Against what the station says of itself when it boots. */
  vendor: RegExp
  model?: RegExp
  switches: Readonly<Record<string, boolean | number | string>>
}

export const presets: readonly Preset[] = [
  {
    name: 'abb-terra',
    description: 'Takes charging profiles of stack level 0 only',
    vendor: /\babb\b/i,
    model: /terra|\btac\b/i,
    switches: { chargingProfileStackLevelZero: true },
  },
  {
    name: 'autel',
    description: 'Takes Absolute charging profiles only',
    vendor: /autel/i,
    switches: { chargingProfileAbsoluteOnly: true },
  },
  {
    name: 'en-plus',
    description: 'Answers no pings; ChangeAvailability leaves it unusable',
    vendor: /^en ?\+|enplus/i,
    switches: { ignoreMissingPong: true, neverChangeAvailability: true },
  },
  {
    name: 'evduty',
    description: 'Answers no pings',
    vendor: /evduty|elmec/i,
    switches: { ignoreMissingPong: true },
  },
  {
    name: 'fronius',
    description: 'Never ends its transactions',
    vendor: /fronius/i,
    switches: { endSuperseded: true },
  },
  {
    name: 'go-e',
    description: 'Refuses a remote start with a charging profile',
    vendor: /^go-?e\b/i,
    switches: { chargingProfileNotInRemoteStart: true },
  },
  {
    name: 'grizzl-e',
    description: 'Names no subprotocol and sends texts that are too long',
    vendor: /grizzl|united chargers/i,
    switches: { protocolWithoutHeader: 'ocpp1.6', tolerateInvalid: true },
  },
  {
    name: 'huawei',
    description: 'Takes limits in W only, and boots with an empty vendor',
    vendor: /huawei/i,
    switches: { chargingProfileWattsOnly: true, tolerateInvalid: true },
  },
  {
    name: 'keba',
    description: 'Appends a number to idTags, loses the ends of transactions, takes profiles at connector 0 only',
    vendor: /keba/i,
    switches: { idTagBeforeUnderscore: true, endSuperseded: true, chargingProfileConnectorZero: true },
  },
  {
    name: 'legrand',
    description: 'Reports error codes that the standard does not have',
    vendor: /legrand/i,
    switches: { tolerateInvalid: true },
  },
  {
    name: 'ocular',
    description: 'Sends idTags that are too long',
    vendor: /ocular/i,
    switches: { tolerateInvalid: true },
  },
  {
    name: 'schneider-evlink',
    description: 'Sends serial numbers that are too long',
    vendor: /schneider/i,
    model: /evlink/i,
    switches: { tolerateInvalid: true },
  },
  {
    name: 'sigenergy',
    description: 'Sends idTags with rubbish behind them',
    vendor: /sigen/i,
    switches: { tolerateInvalid: true },
  },
  {
    name: 'wallbox',
    description:
      'Reboots on calls before its boot was answered, drops the connection on calls in a row, takes Relative profiles of stack level 0 only, wants an empty password',
    vendor: /wall ?box/i,
    switches: {
      anyPassword: true,
      callPauseMs: 1_000,
      callsOnlyAfterBoot: true,
      chargingProfileRelativeOnly: true,
      chargingProfileStackLevelZero: true,
    },
  },
]

export function findPreset(name: string): Preset | undefined {
  return presets.find((preset) => preset.name === name)
}

/** The preset for a station that says this of itself; null where none is known to fit. */
export function suggestPreset(vendor: string | null, model: string | null): Preset | null {
  const fits = (preset: Preset) =>
    preset.vendor.test(vendor ?? '') && (preset.model === undefined || preset.model.test(model ?? ''))
  return presets.find(fits) ?? null
}
