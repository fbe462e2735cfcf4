import type { Topics } from '@busbar/backbone'
import type { Protocol } from '@busbar/ocpp'
import type { Session } from '@busbar/store'
import type { InboundRecord } from '../pipeline/service.js'
import { isRequest } from './behind-requests.js'
import type { Command } from './command.js'
import { idFieldsOf, reportsId } from './ids.js'
import { passwordActions } from './password.js'
import { limitVariableNames, splitRuleOf } from './split.js'
import { CommandsState, type LimitRow, type PendingSecret, type StationFacts } from './state.js'
import {
  type CommandRow,
  type CounterRow,
  selectCommands,
  selectCommandsByKey,
  selectCounters,
  selectLimits,
  selectOpenCommands,
  selectPendingSecrets,
  selectStations,
  toCommand,
} from './statements.js'
import { plusSeconds } from './states.js'
import { parseRequest } from './take-request.js'

/** How far back a follow-up or a lost gateway looks for commands. */
const openForSeconds = 7 * 24 * 3600

/**
 * Reads what a batch needs. A command of the API that needs no ids, and every outcome, cost one query by primary key;
 * what only some commands need is asked for only then.
 */
export async function loadState(
  session: Session,
  records: readonly InboundRecord[],
  topics: Pick<Topics, 'commands'>,
): Promise<CommandsState> {
  const ofLane = records.filter((record) => !isRequest(record, topics))
  const requests = records.filter((record) => isRequest(record, topics)).map(parseRequest)
  const lostStations = stationsOf(ofLane.filter((record) => record.type === 'gateway-lost'))
  const openStations = stationsOf(
    ofLane.filter((record) => ['gateway-lost', 'superseded', 'follow-up'].includes(record.type)),
  )
  const ids = [...requests.map((request) => request.commandId), ...ofLane.map(commandIdOf)].filter((id) => id !== null)
  const since = plusSeconds(records[0]?.record.appendedAt ?? new Date(0), -openForSeconds)

  const [named, open] = await Promise.all([
    query<CommandRow>(ids, () => selectCommands([...new Set(ids)])),
    query<CommandRow>(openStations, () => selectOpenCommands(openStations, since.toISOString())),
  ])
  const known = new Map([...named, ...open].map((row) => [row.id, toCommand(row)]))

  const unknown = requests.filter(({ commandId }) => commandId === null || !known.has(commandId))
  const queued = [...known.values()].filter((command) => command.status === 'queued')
  const starting: { stationId: string; protocol: Protocol | null; action: string }[] = [
    ...queued,
    ...unknown.map(({ stationId, action }) => ({ stationId, action, protocol: null })),
  ]
  const factStations = [...new Set([...lostStations, ...unknown.map((request) => request.stationId)])]
  const reporting = [...known.values()].filter(({ protocol, action }) => protocol && reportsId(protocol, action))
  const countedStations = stationsOf([...starting.filter(needsCounters), ...reporting])
  const splitStations = stationsOf(starting.filter(needsLimits))
  const secretStations = stationsOf(starting.filter(({ action }) => passwordActions.has(action)))
  const [byKey, stations, counters, limits, pendingSecrets] = await Promise.all([
    query<CommandRow>(unknown, () => {
      const keys = [unknown.map((each) => each.requestedBy), unknown.map((each) => each.idempotencyKey)]
      return selectCommandsByKey(...keys)
    }),
    query<StationFacts>(factStations, () => selectStations(factStations)),
    query<CounterRow>(countedStations, () => selectCounters(countedStations)),
    query<LimitRow>(splitStations, () => selectLimits(splitStations, limitVariableNames)),
    query<PendingSecret>(secretStations, () => selectPendingSecrets(secretStations)),
  ])
  return new CommandsState({
    commands: [...known.values(), ...byKey.map(toCommand)],
    stations: stations.map((station) => ({ ...station, epoch: Number(station.epoch) })),
    counters,
    limits,
    pendingSecrets,
  })

  async function query<Row>(wanted: readonly unknown[], statement: () => ReturnType<typeof selectCommands>) {
    return wanted.length === 0 ? [] : session.query<Row>(statement())
  }
}

const stationsOf = (each: readonly { stationId: string }[]) => [...new Set(each.map(({ stationId }) => stationId))]

const uuid = /^[0-9a-f-]{36}$/
const namesCommand = ['outcome', 'follow-up']

function commandIdOf({ type, payload }: InboundRecord): string | null {
  const id = type === 'due' ? payload.key : namesCommand.includes(type) ? payload.commandId : null
  if (typeof id !== 'string') return null
  // A CALL's key goes on behind the command's id.
  const [commandId = ''] = id.split('/')
  return uuid.test(commandId) ? commandId : null
}

type Starting = Pick<Command, 'protocol' | 'action'>

/** Where the version is not known yet, whichever needs more. */
const versionsOf = ({ protocol }: Starting): readonly Protocol[] => (protocol ? [protocol] : ['ocpp1.6', 'ocpp2.0.1'])
const needsCounters = (starting: Starting) =>
  versionsOf(starting).some((protocol) => idFieldsOf(protocol, starting.action).length > 0)
const needsLimits = (starting: Starting) =>
  versionsOf(starting).some((protocol) => splitRuleOf(protocol, starting.action) !== undefined)
