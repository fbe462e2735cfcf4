import type { CommandNews } from '../pipeline/command-news.js'
import { decidePart } from '../pipeline/parts.js'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { decisionContext, inboundCall, inboundRecord } from '../pipeline/testing.js'
import { transfersPart } from './part.js'
import { TransfersState } from './state.js'
import type { TransferKind } from './transfer.js'

export const statusActions: Readonly<Record<TransferKind, string>> = {
  firmware: 'FirmwareStatusNotification',
  'signed-firmware': 'SignedFirmwareStatusNotification',
  diagnostics: 'DiagnosticsStatusNotification',
  log: 'LogStatusNotification',
}

const requestActions: Readonly<Record<TransferKind, string>> = {
  firmware: 'UpdateFirmware',
  'signed-firmware': 'SignedUpdateFirmware',
  diagnostics: 'GetDiagnostics',
  log: 'GetLog',
}

const start = Date.parse('2026-03-01T10:00:00Z')

/** A station and its operator, one record a second. */
export function transfersWorld() {
  const state = new TransfersState()
  let seconds = 0
  let ids = 0
  const decide = (record: InboundRecord): Decision => {
    const newId: DecisionContext['newId'] = () => `00000000-0000-7000-8000-${String(++ids).padStart(12, '0')}`
    return decidePart(transfersPart, record, state, decisionContext(record, { newId }))
  }
  const next = () => ({ protocol: 'ocpp1.6' as const, receivedAt: new Date(start + 1000 * seconds++) })
  return {
    state,
    all: () => state.of('CP-1'),
    /** The station's word. */
    notifies: (kind: TransferKind, status: string, requestId?: number) =>
      decide(inboundCall(statusActions[kind], { status, ...(requestId !== undefined && { requestId }) }, next())),
    /** What became of a CALL. */
    hears: (kind: TransferKind, stage: CommandNews['stage'], rest: Partial<CommandNews> = {}) => {
      const action = requestActions[kind]
      const news = {
        commandId: commandId(1),
        callIndex: 0,
        callCount: 1,
        action,
        stage,
        sent: {},
        response: {},
        ...rest,
      }
      return decide(
        inboundRecord({ type: 'command-news', action, payload: { ...news, requestedBy: 'key' }, ...next() }),
      )
    },
  }
}

export const commandId = (number: number) => `00000000-0000-7000-9000-${String(number).padStart(12, '0')}`
