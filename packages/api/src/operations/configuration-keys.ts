/**
 * The configuration keys of OCPP 1.6 §9 with errata 3.80, 3.83, 3.84, and of the security white paper, edition 3 §2.
 * access: what a station may do with it, 'R or RW' where the standard leaves that to the station.
 */
export interface ConfigurationKey {
  name: string
  type: 'boolean' | 'integer' | 'list' | 'text'
  access: 'R' | 'RW' | 'R or RW'
  min?: number
  max?: number
}

const boolean = (name: string, access: ConfigurationKey['access'] = 'RW'): ConfigurationKey => ({
  name,
  type: 'boolean',
  access,
})
const integer = (name: string, range: { min?: number; max?: number } = {}): ConfigurationKey => ({
  name,
  type: 'integer',
  access: 'RW',
  min: 0,
  ...range,
})
const list = (name: string): ConfigurationKey => ({ name, type: 'list', access: 'RW' })
const readOnly = (key: ConfigurationKey): ConfigurationKey => ({ ...key, access: 'R' })

const keys: readonly ConfigurationKey[] = [
  // Core
  boolean('AllowOfflineTxForUnknownId'),
  boolean('AuthorizationCacheEnabled'),
  boolean('AuthorizeRemoteTxRequests', 'R or RW'),
  integer('BlinkRepeat'),
  integer('ClockAlignedDataInterval'),
  integer('ConnectionTimeOut'),
  list('ConnectorPhaseRotation'),
  readOnly(integer('ConnectorPhaseRotationMaxLength')),
  readOnly(integer('GetConfigurationMaxKeys')),
  integer('HeartbeatInterval'),
  integer('LightIntensity', { max: 100 }),
  boolean('LocalAuthorizeOffline'),
  boolean('LocalPreAuthorize'),
  integer('MaxEnergyOnInvalidId'),
  integer('MessageTimeout'),
  list('MeterValuesAlignedData'),
  readOnly(integer('MeterValuesAlignedDataMaxLength')),
  list('MeterValuesSampledData'),
  readOnly(integer('MeterValuesSampledDataMaxLength')),
  integer('MeterValueSampleInterval'),
  integer('MinimumStatusDuration'),
  readOnly(integer('NumberOfConnectors')),
  integer('ResetRetries'),
  boolean('StopTransactionOnEVSideDisconnect', 'R or RW'),
  boolean('StopTransactionOnInvalidId'),
  list('StopTxnAlignedData'),
  readOnly(integer('StopTxnAlignedDataMaxLength')),
  list('StopTxnSampledData'),
  readOnly(integer('StopTxnSampledDataMaxLength')),
  readOnly(list('SupportedFeatureProfiles')),
  readOnly(integer('SupportedFeatureProfilesMaxLength')),
  integer('TransactionMessageAttempts'),
  integer('TransactionMessageRetryInterval'),
  boolean('UnlockConnectorOnEVSideDisconnect', 'R or RW'),
  integer('WebSocketPingInterval'),
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
  // Firmware Management
  readOnly(list('SupportedFileTransferProtocols')),
  // Security white paper
  boolean('AdditionalRootCertificateCheck', 'R'),
  { name: 'AuthorizationKey', type: 'text', access: 'RW' },
  readOnly(integer('CertificateSignedMaxChainSize')),
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
      return value.split(',').some((item) => item === '' || item !== item.trim()) && value !== ''
        ? [`${key.name} is a list: items apart by commas, without blanks.`]
        : []
    default:
      return []
  }
}

function integerWarnings({ name, min, max }: ConfigurationKey, value: string): string[] {
  if (!/^-?\d{1,15}$/.test(value)) return [`${name} is an integer.`]
  const number = Number(value)
  return [
    ...(min !== undefined && number < min ? [`${name} is at least ${min}.`] : []),
    ...(max !== undefined && number > max ? [`${name} is at most ${max}.`] : []),
  ]
}
