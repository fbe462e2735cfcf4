import { expect } from 'vitest'
import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

const key = (key: string, value: string, readonly = false) => ({ key, readonly, value })

/** The required keys of Core, Local Auth List and Smart Charging (OCPP 1.6 §9). */
export const requiredKeys = [
  key('AuthorizeRemoteTxRequests', 'true'),
  key('ClockAlignedDataInterval', '900'),
  key('ConnectionTimeOut', '60'),
  key('ConnectorPhaseRotation', '0.RST,1.RST,2.RST'),
  key('GetConfigurationMaxKeys', '50', true),
  key('HeartbeatInterval', '300'),
  key('LocalAuthorizeOffline', 'true'),
  key('LocalPreAuthorize', 'false'),
  key('MeterValuesAlignedData', 'Energy.Active.Import.Register'),
  key('MeterValuesSampledData', 'Energy.Active.Import.Register'),
  key('MeterValueSampleInterval', '60'),
  key('NumberOfConnectors', '2', true),
  key('ResetRetries', '3'),
  key('StopTransactionOnEVSideDisconnect', 'true'),
  key('StopTransactionOnInvalidId', 'true'),
  key('StopTxnAlignedData', ''),
  key('StopTxnSampledData', ''),
  key('SupportedFeatureProfiles', 'Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging', true),
  key('TransactionMessageAttempts', '3'),
  key('TransactionMessageRetryInterval', '10'),
  key('UnlockConnectorOnEVSideDisconnect', 'true'),
  key('LocalAuthListEnabled', 'true'),
  key('LocalAuthListMaxLength', '1000', true),
  key('SendLocalListMaxLength', '100', true),
  key('ReserveConnectorZeroSupported', 'true', true),
  key('ChargeProfileMaxStackLevel', '9', true),
  key('ChargingScheduleAllowedChargingRateUnit', 'Current,Power', true),
  key('ChargingScheduleMaxPeriods', '24', true),
  key('MaxChargingProfilesInstalled', '20', true),
]

/** Core: configuration. */
export const configuration = {
  TC_019_1_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.getConfiguration(), { configurationKey: requiredKeys, unknownKey: [] })
    await lab.showsKey('HeartbeatInterval', { value: '300', readonly: false })
    await lab.showsKey('NumberOfConnectors', { value: '2', readonly: true })
  },

  TC_019_2_CSMS: async (lab: Lab) => {
    const asked = key('SupportedFeatureProfiles', 'Core', true)
    await lab.asks(wishes.getConfiguration([asked.key]), { configurationKey: [asked], unknownKey: [] })
    await lab.showsKey(asked.key, { value: 'Core', readonly: true })
  },

  TC_021_CSMS: async (lab: Lab) => {
    const payload = await lab.asks(wishes.changeConfiguration('MeterValueSampleInterval', '60'), { status: 'Accepted' })
    expect(payload.value).toBe('60')
    await lab.showsKey('MeterValueSampleInterval', { value: '60' })
  },
}
