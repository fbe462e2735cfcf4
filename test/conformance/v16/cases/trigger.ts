import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

const accepted = { status: 'Accepted' }

export const energy = (value: string, rest: object = {}) => ({
  timestamp: new Date().toISOString(),
  sampledValue: [{ value, ...rest }],
})

/** Remote trigger. */
export const remoteTrigger = {
  TC_054_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.trigger('MeterValues', 1), accepted)
    await lab.tells('MeterValues', { connectorId: 1, meterValue: [energy('1000')] })
    await lab.asks(wishes.trigger('Heartbeat'), accepted)
    await lab.beats()
    await lab.asks(wishes.trigger('StatusNotification', 1), accepted)
    await lab.reports('Available')
    await lab.asks(wishes.trigger('DiagnosticsStatusNotification'), accepted)
    await lab.tells('DiagnosticsStatusNotification', { status: 'Idle' })
    await lab.asks(wishes.trigger('FirmwareStatusNotification'), accepted)
    await lab.tells('FirmwareStatusNotification', { status: 'Idle' })
    await lab.asks(wishes.trigger('FirmwareStatusNotification'), { status: 'NotImplemented' }, 'rejected')
  },

  TC_055_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.trigger('MeterValues', 3), { status: 'Rejected' }, 'rejected')
  },
}
