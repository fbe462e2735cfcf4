import { formatTimestamp, OcppError, type Payload } from '@busbar/ocpp'
import type { ConnectorStatus, Controls, Dialect } from './dialect.js'

const statuses: Record<ConnectorStatus, string> = {
  Available: 'Available',
  Occupied: 'Preparing',
  Charging: 'Charging',
  Finishing: 'Finishing',
  Unavailable: 'Unavailable',
}

/** OCPP 1.6 edition 2. */
export function dialect16(): Dialect {
  const boot = () => ({
    action: 'BootNotification',
    payload: { chargePointVendor: 'Busbar', chargePointModel: 'Virtual 16', firmwareVersion: '1.0.0' },
  })
  return {
    settings: { HeartbeatInterval: '300', MeterValueSampleInterval: '60', AuthorizationKey: '' },
    boot,
    status: (connector, status, at) => ({
      action: 'StatusNotification',
      payload: {
        connectorId: connector,
        errorCode: 'NoError',
        status: statuses[status],
        timestamp: formatTimestamp(at),
      },
    }),
    authorize: (idTag) => ({ action: 'Authorize', payload: { idTag } }),
    tokenStatus: (answer) => readStatus(answer.idTagInfo),
    begin: (session, at) => ({
      action: 'StartTransaction',
      payload: {
        connectorId: session.connector,
        idTag: session.token,
        meterStart: session.meterStartWh,
        timestamp: formatTimestamp(at),
      },
    }),
    meter: (session, at, energyWh, powerW) => ({
      action: 'MeterValues',
      payload: {
        connectorId: session.connector,
        transactionId: Number(session.transactionId ?? -1),
        meterValue: [
          {
            timestamp: formatTimestamp(at),
            sampledValue: [
              { value: String(energyWh), measurand: 'Energy.Active.Import.Register', unit: 'Wh' },
              { value: String(powerW), measurand: 'Power.Active.Import', unit: 'W' },
            ],
          },
        ],
      },
    }),
    end: (session, at, reason) => ({
      action: 'StopTransaction',
      payload: {
        transactionId: Number(session.transactionId ?? -1),
        idTag: session.token,
        meterStop: session.meterStopWh ?? session.meterStartWh,
        timestamp: formatTimestamp(at),
        reason,
      },
    }),
    givenTransactionId: (answer) => String(answer.transactionId),
    commands: commands16,
  }
}

function readStatus(info: unknown): string | null {
  return (info as { status?: string } | undefined)?.status ?? null
}

function commands16(controls: Controls) {
  const accepted = () => ({ status: 'Accepted' })
  return {
    RemoteStartTransaction: ({ connectorId = 1, idTag }: Payload) => {
      const connector = Number(connectorId)
      if (connector < 1 || connector > controls.connectors || controls.sessionOn(connector)) {
        return { status: 'Rejected' }
      }
      controls.startSession(connector, String(idTag))
      return { status: 'Accepted' }
    },
    RemoteStopTransaction: ({ transactionId }: Payload) => ({
      status: controls.stopSession(String(transactionId)) ? 'Accepted' : 'Rejected',
    }),
    Reset: () => {
      controls.reboot()
      return { status: 'Accepted' }
    },
    GetConfiguration: ({ key }: Payload) => {
      const asked = (key as string[] | undefined) ?? []
      const known = [...controls.settings].filter(([name]) => asked.length === 0 || asked.includes(name))
      return {
        configurationKey: known.map(([name, value]) => ({ key: name, readonly: false, value })),
        unknownKey: asked.filter((name) => !controls.settings.has(name)),
      }
    },
    ChangeConfiguration: ({ key, value }: Payload) => {
      if (!controls.settings.has(String(key))) return { status: 'NotSupported' }
      controls.settings.set(String(key), String(value))
      return { status: 'Accepted' }
    },
    TriggerMessage: ({ requestedMessage }: Payload) => {
      if (requestedMessage === 'BootNotification') controls.later(controls.boot())
      else if (requestedMessage === 'Heartbeat') controls.later({ action: 'Heartbeat', payload: {} })
      else return { status: 'NotImplemented' }
      return { status: 'Accepted' }
    },
    UnlockConnector: () => ({ status: 'Unlocked' }),
    ChangeAvailability: accepted,
    ClearCache: accepted,
    CancelReservation: accepted,
    ReserveNow: accepted,
    SendLocalList: accepted,
    SetChargingProfile: accepted,
    ClearChargingProfile: accepted,
    GetCompositeSchedule: () => ({ status: 'Rejected' }),
    GetLocalListVersion: () => ({ listVersion: 0 }),
    GetDiagnostics: () => ({}),
    UpdateFirmware: () => ({}),
    DataTransfer: () => ({ status: 'UnknownVendorId' }),
    ExtendedTriggerMessage: () => {
      throw new OcppError('NotSupported', 'No security extension')
    },
  }
}
