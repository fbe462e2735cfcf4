import { setTimeout as sleep } from 'node:timers/promises'
import { sharedMetric } from '@busbar/backbone'
import { OcppError } from '@busbar/ocpp'
import { Counter, type Registry } from 'prom-client'
import { outboxSource } from '../pipeline/outgoing.js'
import type { CommittedBatch, Decision, DecisionContext, InboundRecord, Ports, Service } from '../pipeline/service.js'
import { isRequest } from './behind-requests.js'
import type { CommandStatus } from './command.js'
import { dispatchAll } from './dispatch.js'
import { loadState } from './load.js'
import type { CommandsState } from './state.js'
import { takeDue, takeFollowUp, takeGatewayLost, takeSuperseded } from './take-due.js'
import { takeOutcome } from './take-outcome.js'
import { takeRequest } from './take-request.js'

/**
 * Brings commands to stations, at most once, and always to a verdict.
 *
 * Topics `busbar.commands` (requests) and `busbar.ocpp.commands` (outcomes, what falls due, follow-ups, lost
 * gateways and connections, passwords that opened the door),
 * key station: one worker decides about a station's commands, in order. A CALL is handed out after the commit that marks
 * it, by nobody else and never again.
 */
export function createCommandsService(
  deps: Pick<Ports, 'vault' | 'metrics'> & { backbone: Pick<Ports['backbone'], 'topics'> },
): Service<CommandsState> {
  const { vault, backbone } = deps
  const verdicts = verdictCounter(deps.metrics)

  const decideLane = (record: InboundRecord, state: CommandsState, context: DecisionContext): Decision => {
    switch (record.type) {
      case 'outcome':
        return takeOutcome(record, state, context, vault)
      case 'due':
        return takeDue(record, state, context)
      case 'follow-up':
        return takeFollowUp(record, state, context)
      case 'gateway-lost':
        return takeGatewayLost(record, state, context)
      case 'superseded':
        return takeSuperseded(record, state, context)
      case 'password-used':
        state.changeSecret({ kind: 'used', stationId: record.stationId, at: record.receivedAt })
        return {}
      case 'call':
        throw new OcppError('NotSupported', `${record.action} is not sent by stations`)
      default:
        return {}
    }
  }

  return {
    name: 'commands',
    topics: (names) => [names.commands, names.outcomes],
    load: (database, records) => loadState(database, records, backbone.topics),
    decide: (record, state, context) =>
      isRequest(record, backbone.topics)
        ? takeRequest(record, state, context, vault)
        : decideLane(record, state, context),
    save: (state) => state.save(),
    after: async (batch, ports) => {
      countVerdicts(batch, verdicts)
      await newsSent(batch, ports)
      await dispatchAll(batch.dispatches, ports)
    },
  }
}

/**
 * Who keeps the books hears of a CALL before the station does: what the station says because of it comes over another way,
 * and 1.6 has messages that only their place behind the CALL binds to it. While the log is away nothing is handed out until
 * it has expired.
 */
async function newsSent({ decided, dispatches }: CommittedBatch, { backbone, clock }: Ports): Promise<void> {
  const partitions = decided
    .filter(({ decision: { dispatches = [], records = [] } }) => dispatches.length > 0 && records.length > 0)
    .map(({ record }) => record.record.partition)
  const sources = [...new Set(partitions)].map((partition) => outboxSource('commands', partition))
  if (sources.length === 0) return
  const expiries = dispatches.map(({ command }) => new Date(command.expiresAt).getTime())
  const waited = new AbortController()
  const patienceMs = Math.max(...expiries) - (clock?.() ?? new Date()).getTime()
  const expired = sleep(Math.max(0, patienceMs), undefined, { signal: waited.signal }).catch(() => {})
  await Promise.race([backbone.outbox.flush(sources), expired])
  waited.abort()
}

function countVerdicts({ decided }: CommittedBatch, counter: Counter<'status'>): void {
  for (const { decision } of decided) {
    for (const { status } of decision.verdicts ?? []) counter.inc({ status })
  }
}

/** An alarm notices the first of its kind only if its counter began at 0. */
const verdictStatuses: readonly CommandStatus[] = [
  'accepted',
  'rejected',
  'error',
  'timeout',
  'unknown',
  'undeliverable',
  'expired',
]

function verdictCounter(registry: Registry): Counter<'status'> {
  const name = 'busbar_commands_verdicts_total'
  const help = 'Commands that ended, by verdict'
  const create = () => new Counter({ name, help, labelNames: ['status'], registers: [registry] })
  const counter = sharedMetric(registry, name, create)
  for (const status of verdictStatuses) counter.inc({ status }, 0)
  return counter
}
