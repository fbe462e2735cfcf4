import { randomUUID } from 'node:crypto'
import { formatTimestamp, type Payload } from '@busbar/ocpp'
import type { Controls, Dialect, Message } from './dialect.js'
import type { Session } from './ledger.js'

interface VariableQuery {
  component: { name: string }
  variable: { name: string }
  attributeValue?: string
}

/** OCPP 2.0.1 edition 3. */
export function dialect201(): Dialect {
  // seqNo counts per transaction, from 0 (E01.FR.07).
  const next = new WeakMap<Session, number>()
  const event = (session: Session, eventType: string, at: Date, triggerReason: string, rest: Payload): Message => {
    const seqNo = next.get(session) ?? 0
    next.set(session, seqNo + 1)
    session.transactionId ??= randomUUID()
    const { transactionInfo, ...others } = rest as { transactionInfo?: Payload } & Payload
    return {
      action: 'TransactionEvent',
      payload: {
        eventType,
        timestamp: formatTimestamp(at),
        triggerReason,
        seqNo,
        transactionInfo: { transactionId: session.transactionId, ...transactionInfo },
        ...others,
      },
    }
  }
  const meterValue = (at: Date, energyWh: number, context: string, powerW?: number) => [
    {
      timestamp: formatTimestamp(at),
      sampledValue: [
        { value: energyWh, context, measurand: 'Energy.Active.Import.Register', unitOfMeasure: { unit: 'Wh' } },
        ...(powerW === undefined
          ? []
          : [{ value: powerW, context, measurand: 'Power.Active.Import', unitOfMeasure: { unit: 'W' } }]),
      ],
    },
  ]
  const idToken = (value: string) => ({ idToken: value, type: 'ISO14443' })
  return {
    settings: {
      'OCPPCommCtrlr.HeartbeatInterval': '300',
      'OCPPCommCtrlr.OfflineThreshold': '60',
      'AuthCtrlr.AuthorizeRemoteStart': 'false',
      'SecurityCtrlr.BasicAuthPassword': '',
    },
    boot: boot201,
    status: (connector, status, at) => ({
      action: 'StatusNotification',
      payload: {
        timestamp: formatTimestamp(at),
        connectorStatus: status === 'Available' || status === 'Unavailable' ? status : 'Occupied',
        evseId: connector,
        connectorId: 1,
      },
    }),
    authorize: (token) => ({ action: 'Authorize', payload: { idToken: idToken(token) } }),
    tokenStatus: (answer) => (answer.idTokenInfo as { status?: string } | undefined)?.status ?? null,
    begin: (session, at) =>
      event(session, 'Started', at, 'Authorized', {
        transactionInfo: { chargingState: 'EVConnected' },
        evse: { id: session.connector, connectorId: 1 },
        idToken: idToken(session.token),
        meterValue: meterValue(at, session.meterStartWh, 'Transaction.Begin'),
      }),
    meter: (session, at, energyWh, powerW) =>
      event(session, 'Updated', at, 'MeterValuePeriodic', {
        transactionInfo: { chargingState: 'Charging' },
        meterValue: meterValue(at, energyWh, 'Sample.Periodic', powerW),
      }),
    end: (session, at, reason) =>
      event(session, 'Ended', at, reason === 'Remote' ? 'RemoteStop' : 'StopAuthorized', {
        transactionInfo: { chargingState: 'Idle', stoppedReason: reason },
        meterValue: meterValue(at, session.meterStopWh ?? session.meterStartWh, 'Transaction.End'),
      }),
    givenTransactionId: () => null,
    commands: commands201,
  }
}

function boot201(): Message {
  return {
    action: 'BootNotification',
    payload: {
      reason: 'PowerUp',
      chargingStation: { vendorName: 'Busbar', model: 'Virtual 201', firmwareVersion: '1.0.0' },
    },
  }
}

function commands201(controls: Controls) {
  const accepted = () => ({ status: 'Accepted' })
  const nameOf = ({ component, variable }: VariableQuery) => `${component.name}.${variable.name}`
  return {
    RequestStartTransaction: ({ evseId = 1, idToken, remoteStartId }: Payload) => {
      const connector = Number(evseId)
      if (connector < 1 || connector > controls.connectors || controls.sessionOn(connector)) {
        return { status: 'Rejected' }
      }
      controls.startSession(connector, (idToken as { idToken: string }).idToken, Number(remoteStartId))
      return { status: 'Accepted' }
    },
    RequestStopTransaction: ({ transactionId }: Payload) => ({
      status: controls.stopSession(String(transactionId)) ? 'Accepted' : 'Rejected',
    }),
    Reset: () => {
      controls.reboot()
      return { status: 'Accepted' }
    },
    GetVariables: ({ getVariableData }: Payload) => ({
      getVariableResult: (getVariableData as VariableQuery[]).map((query) => {
        const value = controls.settings.get(nameOf(query))
        const { component, variable } = query
        return value === undefined
          ? { attributeStatus: 'UnknownVariable', component, variable }
          : { attributeStatus: 'Accepted', attributeValue: value, component, variable }
      }),
    }),
    SetVariables: ({ setVariableData }: Payload) => ({
      setVariableResult: (setVariableData as VariableQuery[]).map((query) => {
        const { component, variable, attributeValue = '' } = query
        const known = controls.settings.has(nameOf(query))
        if (known) controls.settings.set(nameOf(query), attributeValue)
        return { attributeStatus: known ? 'Accepted' : 'UnknownVariable', component, variable }
      }),
    }),
    GetBaseReport: ({ requestId }: Payload) => {
      const settings = [...controls.settings]
      settings.forEach(([name, value], index) => {
        const [component = '', variable = ''] = name.split('.')
        controls.later({
          action: 'NotifyReport',
          payload: {
            requestId,
            generatedAt: formatTimestamp(new Date()),
            seqNo: index,
            tbc: index < settings.length - 1,
            reportData: [
              {
                component: { name: component },
                variable: { name: variable },
                variableAttribute: [{ type: 'Actual', value, mutability: 'ReadWrite' }],
                variableCharacteristics: { dataType: 'string', supportsMonitoring: false },
              },
            ],
          },
        })
      })
      return { status: 'Accepted' }
    },
    TriggerMessage: ({ requestedMessage }: Payload) => {
      if (requestedMessage === 'BootNotification') controls.later(controls.boot())
      else if (requestedMessage === 'Heartbeat') controls.later({ action: 'Heartbeat', payload: {} })
      else return { status: 'NotImplemented' }
      return { status: 'Accepted' }
    },
    GetTransactionStatus: ({ transactionId }: Payload) => ({
      ongoingIndicator: controls.sessionBy(String(transactionId))?.endedAt === null,
      messagesInQueue: false,
    }),
    UnlockConnector: () => ({ status: 'Unlocked' }),
    ChangeAvailability: accepted,
    ClearCache: accepted,
    SetChargingProfile: accepted,
    ClearChargingProfile: accepted,
    ReserveNow: accepted,
    CancelReservation: accepted,
    SendLocalList: accepted,
    SetNetworkProfile: accepted,
    GetLocalListVersion: () => ({ versionNumber: 0 }),
    DataTransfer: () => ({ status: 'UnknownVendorId' }),
  }
}
