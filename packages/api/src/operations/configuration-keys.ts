/** A configuration key as OCPP 1.6 edition 2 §9, its errata of 2025-04 or the security white paper, edition 3 §7, has it. */
export interface ConfigurationKey {
  name: string
  type: 'boolean' | 'integer' | 'list' | 'text'
  /** For us; 'R or RW' where the standard leaves that to the station. */
  access: 'R' | 'RW' | 'R or RW' | 'W'
  /** Of an integer. */
  unit?: 'seconds' | 'times' | 'percent' | 'Wh'
  min?: number
  max?: number
  /** Of a text, or of each item of a list. */
  form?: { pattern: RegExp; text: string }
}

const boolean = (name: string, access: ConfigurationKey['access'] = 'RW'): ConfigurationKey => ({
  name,
  type: 'boolean',
  access,
})
const integer = (name: string, rest: Partial<ConfigurationKey> = {}): ConfigurationKey => ({
  name,
  type: 'integer',
  access: 'RW',
  min: 0,
  ...rest,
})
const seconds = (name: string) => integer(name, { unit: 'seconds' })
const times = (name: string) => integer(name, { unit: 'times' })
const list = (name: string, rest: Partial<ConfigurationKey> = {}): ConfigurationKey => ({
  name,
  type: 'list',
  access: 'RW',
  ...rest,
})
const readOnly = (key: ConfigurationKey): ConfigurationKey => ({ ...key, access: 'R' })

const rotation = {
  pattern: /^\d+\.(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)$/,
  text: 'each connector with its rotation, as in 1.RST,2.RTS',
}
const hexPassword = { pattern: /^([0-9a-f]{2}){16,20}$/i, text: '16 to 20 bytes in hexadecimal' }

const keys: readonly ConfigurationKey[] = [
  // Core
  boolean('AllowOfflineTxForUnknownId'),
  boolean('AuthorizationCacheEnabled'),
  boolean('AuthorizeRemoteTxRequests', 'R or RW'),
  times('BlinkRepeat'),
  seconds('ClockAlignedDataInterval'),
  seconds('ConnectionTimeOut'),
  list('ConnectorPhaseRotation', { form: rotation }),
  readOnly(integer('ConnectorPhaseRotationMaxLength')),
  readOnly(integer('GetConfigurationMaxKeys')),
  seconds('HeartbeatInterval'),
  integer('LightIntensity', { unit: 'percent', max: 100 }),
  boolean('LocalAuthorizeOffline'),
  boolean('LocalPreAuthorize'),
  integer('MaxEnergyOnInvalidId', { unit: 'Wh' }),
  seconds('MessageTimeout'), // errata 3.83
  list('MeterValuesAlignedData'),
  readOnly(integer('MeterValuesAlignedDataMaxLength')),
  list('MeterValuesSampledData'),
  readOnly(integer('MeterValuesSampledDataMaxLength')),
  seconds('MeterValueSampleInterval'),
  seconds('MinimumStatusDuration'),
  readOnly(integer('NumberOfConnectors')),
  times('ResetRetries'),
  readOnly(integer('StopTransactionMaxMeterValues')), // errata 3.91
  boolean('StopTransactionOnEVSideDisconnect', 'R or RW'), // errata 3.80
  boolean('StopTransactionOnInvalidId'),
  list('StopTxnAlignedData'),
  readOnly(integer('StopTxnAlignedDataMaxLength')),
  list('StopTxnSampledData'),
  readOnly(integer('StopTxnSampledDataMaxLength')),
  readOnly(list('SupportedFeatureProfiles')),
  readOnly(integer('SupportedFeatureProfilesMaxLength')),
  times('TransactionMessageAttempts'),
  seconds('TransactionMessageRetryInterval'),
  boolean('UnlockConnectorOnEVSideDisconnect', 'R or RW'), // errata 3.84
  seconds('WebSocketPingInterval'),
  // Local Auth List Management
  boolean('LocalAuthListEnabled'),
  readOnly(integer('LocalAuthListMaxLength')),
  readOnly(integer('SendLocalListMaxLength')),
  // Reservation
  readOnly(boolean('ReserveConnectorZeroSupported')),
  // Smart Charging
  readOnly(integer('ChargeProfileMaxStackLevel')),
  readOnly(list('ChargingScheduleAllowedChargingRateUnit')),
  readOnly(integer('ChargingScheduleMaxPeriods')),
  readOnly(boolean('ConnectorSwitch3to1PhaseSupported')),
  readOnly(integer('MaxChargingProfilesInstalled')),
  // Firmware Management, errata 3.90
  readOnly(list('SupportedFileTransferProtocols')),
  // Security white paper
  boolean('AdditionalRootCertificateCheck', 'R'),
  { name: 'AuthorizationKey', type: 'text', access: 'W', form: hexPassword },
  readOnly(integer('CertificateSignedMaxChainSize', { max: 10_000 })),
  readOnly(integer('CertificateStoreMaxLength')),
  { name: 'CpoName', type: 'text', access: 'RW' },
  integer('SecurityProfile', { max: 3 }),
]

const byName = new Map(keys.map((key) => [key.name.toLowerCase(), key]))

/** Names compare without letter case (§5.3: CiString). */
export function findConfigurationKey(name: string): ConfigurationKey | undefined {
  return byName.get(name.toLowerCase())
}

/** What the standard says against a value; the station has the last word. */
export function valueWarnings(key: ConfigurationKey, value: string): string[] {
  switch (key.type) {
    case 'boolean':
      return value === 'true' || value === 'false' ? [] : [`${key.name} is a boolean: true or false.`]
    case 'integer':
      return integerWarnings(key, value)
    case 'list':
      return value === '' ? [] : listWarnings(key, value.split(','))
    case 'text':
      return formWarnings(key, [value])
  }
}

/** Blanks are no fault by the standard, whose own example of a ConnectorPhaseRotation has them, but many a station's. */
function listWarnings(key: ConfigurationKey, items: readonly string[]): string[] {
  const texts = items.map((item) => item.trim())
  const isPlain = items.every((item, index) => item !== '' && item === texts[index])
  const warning = `${key.name} is a list: items apart by commas, without blanks.`
  return [...(isPlain ? [] : [warning]), ...formWarnings(key, texts)]
}

/** Without the value, which may be a secret. */
function formWarnings({ name, form }: ConfigurationKey, texts: readonly string[]): string[] {
  return form && !texts.every((text) => form.pattern.test(text)) ? [`${name} is ${form.text}.`] : []
}

function integerWarnings({ name, unit, min, max }: ConfigurationKey, value: string): string[] {
  if (!/^-?\d{1,15}$/.test(value)) return [`${name} is an integer${unit ? `, in ${unit}` : ''}.`]
  const number = Number(value)
  return [
    ...(min !== undefined && number < min ? [`${name} is at least ${min}.`] : []),
    ...(max !== undefined && number > max ? [`${name} is at most ${max}.`] : []),
  ]
}
