import { type Dialect, type Payload, type Protocol, toDialect } from '@busbar/ocpp'
import type { AnswerVerdict } from './command.js'
import type { Counters } from './ids.js'

/** How much one message to this station may hold; null where it has not said. */
export interface MessageLimits {
  items: number | null
  /** Of the whole CALL. */
  bytes: number | null
}

/** Where a station keeps a limit in its device model; names folded to lower case, '' for no instance. */
export interface LimitVariable {
  /** Null: any, 1.6 keys have no component. */
  component: string | null
  variable: string
  instance: string
}

interface SplitRule {
  /** The list that is cut. */
  field: string
  /** 2.0.1 part 2, appendix: ItemsPerMessage and BytesPerMessage; 1.6 §9 its configuration keys. */
  items: LimitVariable
  bytes: LimitVariable | null
  /** Makes the payload of a further CALL different from the first one's, besides its part of the list. */
  further: (payload: Payload, counters: Counters) => Payload
  /** Lists of the answers that are joined; the rest of the answer is the deciding call's. */
  joined: readonly string[]
  /** Whether the next CALL goes out although the station refused this one. */
  goOnAfterRejected: boolean
  /** How many calls the station has to agree to. */
  accepted: 'all' | 'any'
}

const unchanged = (payload: Payload) => payload
const perMessage = (component: string, action: string) => ({
  items: { component, variable: 'itemspermessage', instance: action.toLowerCase() },
  bytes: { component, variable: 'bytespermessage', instance: action.toLowerCase() },
})
const key = (name: string): LimitVariable => ({ component: null, variable: name.toLowerCase(), instance: '' })
const independent = { further: unchanged, goOnAfterRejected: true, accepted: 'all' } as const

/** A list that came whole and goes on in parts: each part builds on the one before, so the first refusal ends it. */
const localList = (versionField: string) =>
  ({
    field: 'localAuthorizationList',
    further: (payload: Payload, counters: Counters) => ({
      ...payload,
      updateType: 'Differential',
      [versionField]: counters.next('listVersion'),
    }),
    joined: [],
    goOnAfterRejected: false,
    accepted: 'all',
  }) as const

const splitRules: Readonly<Record<Dialect, Readonly<Record<string, SplitRule>>>> = {
  'ocpp1.6': {
    GetConfiguration: {
      ...independent,
      field: 'key',
      items: key('GetConfigurationMaxKeys'),
      bytes: null,
      joined: ['configurationKey', 'unknownKey'],
    },
    SendLocalList: { ...localList('listVersion'), items: key('SendLocalListMaxLength'), bytes: null },
  },
  'ocpp2.0.1': {
    ClearVariableMonitoring: {
      ...independent,
      ...perMessage('monitoringctrlr', 'ClearVariableMonitoring'),
      field: 'id',
      joined: ['clearMonitoringResult'],
    },
    GetReport: {
      ...perMessage('devicedatactrlr', 'GetReport'),
      field: 'componentVariable',
      // The parts of a report are told apart by requestId and a seqNo that starts at 0 for each CALL.
      further: (payload, counters) => ({ ...payload, requestId: counters.next('requestId') }),
      joined: [],
      goOnAfterRejected: true,
      accepted: 'any',
    },
    GetVariables: {
      ...independent,
      ...perMessage('devicedatactrlr', 'GetVariables'),
      field: 'getVariableData',
      joined: ['getVariableResult'],
    },
    SendLocalList: {
      ...localList('versionNumber'),
      items: { component: 'localauthlistctrlr', variable: 'itemspermessage', instance: '' },
      bytes: { component: 'localauthlistctrlr', variable: 'bytespermessage', instance: '' },
    },
    SetVariableMonitoring: {
      ...independent,
      ...perMessage('monitoringctrlr', 'SetVariableMonitoring'),
      field: 'setMonitoringData',
      joined: ['setMonitoringResult'],
    },
    SetVariables: {
      ...independent,
      ...perMessage('devicedatactrlr', 'SetVariables'),
      field: 'setVariableData',
      joined: ['setVariableResult'],
    },
  },
}

export function splitRuleOf(protocol: Protocol, action: string): SplitRule | undefined {
  return splitRules[toDialect(protocol)][action]
}

/** All names a limit may have, for one query. */
export const limitVariableNames: readonly string[] = [
  ...new Set(
    Object.values(splitRules).flatMap((rules) =>
      Object.values(rules).flatMap(({ items, bytes }) => [items.variable, ...(bytes ? [bytes.variable] : [])]),
    ),
  ),
]

/** `[2,"<36 characters>","<action>",<payload>]`, and what a further CALL may write longer than the first one. */
const frameOverheadBytes = 46 + 24
const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

/**
 * Cuts a command into as few CALLs as the station's limits allow, in the order of the list. An item that is too large by
 * itself goes out alone: the station may take it all the same, and nothing smaller can be sent.
 * @returns one payload per CALL; the payload itself when nothing has to be cut
 */
export function splitPayload(
  protocol: Protocol,
  action: string,
  payload: Payload,
  limits: MessageLimits,
  counters: Counters,
): Payload[] {
  const rule = splitRuleOf(protocol, action)
  const list = rule && payload[rule.field]
  if (!rule || !Array.isArray(list) || list.length === 0) return [payload]
  const items = limits.items !== null && limits.items >= 1 ? limits.items : Number.POSITIVE_INFINITY
  const emptyBytes = frameOverheadBytes + action.length + sizeOf({ ...payload, [rule.field]: [] })
  const bytes = limits.bytes === null ? Number.POSITIVE_INFINITY : limits.bytes - emptyBytes
  const parts = cut(list, items, bytes)
  if (parts.length === 1) return [payload]
  return parts.map((part, index) => {
    const own = { ...payload, [rule.field]: part }
    return index === 0 ? own : rule.further(own, counters)
  })
}

function cut(list: readonly unknown[], maxItems: number, maxBytes: number): unknown[][] {
  const parts: unknown[][] = []
  let open: unknown[] = []
  let bytes = 0
  for (const item of list) {
    // With the comma before the next one.
    const size = sizeOf(item) + 1
    if (open.length > 0 && (open.length >= maxItems || bytes + size > maxBytes)) {
      parts.push(open)
      open = []
      bytes = 0
    }
    open.push(item)
    bytes += size
  }
  return [...parts, open]
}

/** What is known of one CALL of a split command once its answer came. */
export interface PartAnswer {
  verdict: AnswerVerdict
  response: Payload
}

/**
 * One answer and one verdict out of those of all CALLs: lists joined in order, anything else from the call that decided.
 * @param parts of the calls answered so far, in order; at least one
 */
export function mergeAnswers(protocol: Protocol, action: string, parts: readonly PartAnswer[]): PartAnswer {
  const rule = splitRuleOf(protocol, action)
  const last = parts.at(-1)
  if (!last) throw new Error('There is no answer to merge')
  if (!rule || parts.length === 1) return last
  const wanted = rule.accepted === 'all' ? 'rejected' : 'accepted'
  const deciding = parts.find((part) => part.verdict === wanted) ?? last
  const lists = rule.joined
    .map((name) => [name, parts.flatMap((part) => toListItems(part.response[name]))] as const)
    .filter(([, list]) => list.length > 0)
  return { verdict: deciding.verdict, response: { ...deciding.response, ...Object.fromEntries(lists) } }
}

const toListItems = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
