import type { Protocol } from '@busbar/ocpp'
import { token } from './rig.js'

/** A JSON text where another was meant; two for a key that comes twice. */
export interface CraftedValue {
  name: string
  json: string
  /** Its digits, where it is an integer: such a register is one, however long. */
  digits?: string
  /** Beyond what is read at all: the message is refused, and kept. */
  isTooDeep?: boolean
}

const nested = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels)
const integer = (digits: string): CraftedValue => ({ name: digits.slice(0, 24), json: digits, digits })

export const craftedValues: readonly CraftedValue[] = [
  { name: '20 levels of arrays', json: nested('[', ']', 20) },
  { name: '40 levels of arrays', json: nested('[', ']', 40), isTooDeep: true },
  { name: '40 levels of objects', json: `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`, isTooDeep: true },
  { name: '100,000 levels', json: nested('[', ']', 100_000), isTooDeep: true },
  { name: '20,000 elements', json: `[${'0,'.repeat(20_000)}0]` },
  { name: '10,000 keys', json: `{${Array.from({ length: 10_000 }, (_, index) => `"k${index}":0`).join()}}` },
  { name: '__proto__', json: '{"__proto__":{"polluted":true,"idTag":"x","value":"1"}}' },
  { name: 'constructor.prototype', json: '{"constructor":{"prototype":{"polluted":true}}}' },
  { name: '1e400', json: '1e400' },
  { name: '-1e400', json: '-1e400' },
  { name: '1e-400', json: '1e-400' },
  { name: '-0', json: '-0', digits: '0' },
  integer('9007199254740993'),
  integer('18446744073709551616'),
  { name: 'lone high surrogate', json: '"\\ud800"' },
  { name: 'lone low surrogate', json: '"A\\udc00B"' },
  { name: 'surrogates the wrong way round', json: '"\\udc00\\ud800"' },
  { name: 'NUL', json: '"\\u0000"' },
  { name: 'NUL within', json: '"A\\u0000B"' },
  { name: 'noncharacter', json: '"\\uffff\\ufeff"' },
  { name: '10,000 characters', json: `"${'x'.repeat(10_000)}"` },
  { name: 'null', json: 'null' },
  { name: 'twice, the second right', json: '' },
]

/** One field of one message. */
export interface Place {
  message: 'start' | 'meter' | 'stop'
  /** Where the value stands in the message's fields: names, and 0 into arrays. */
  path: readonly (string | 0)[]
  /** Without a value that can be read the message says nothing that could be billed. */
  isNeeded?: true
  /** Energy is read from it. */
  isRegister?: true
}

type Fields = Record<string, unknown>

/** How a version tells a session: three messages, and where in them a station's words can stand. */
export interface Dialect {
  protocol: Protocol
  places: readonly Place[]
  actions: Readonly<Record<Place['message'], string>>
  boot: Fields
  fields(message: Place['message'], session: Session): Fields
}

export interface Session {
  at: Date
  /** Given by us (1.6), or by the station. */
  transactionId: string | number
  beginWh: Raw
  endWh: Raw
}

/** Written into the message as it is. */
export class Raw {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }
}

export const sessionWh = 1_234
/** A second from one message to the next; before now, as from a station that was offline. */
const timeOf = (at: Date, message: Place['message']) =>
  new Date(at.getTime() + { start: 0, meter: 1_000, stop: 2_000 }[message]).toISOString()
const extra: readonly Place['path'][] = [['unknownField'], ['__proto__'], ['customData', 'x']]
const anywhere = (message: Place['message'], paths: readonly Place['path'][]) =>
  paths.map((path) => ({ message, path }))

const v16: Dialect = {
  protocol: 'ocpp1.6',
  actions: { start: 'StartTransaction', meter: 'MeterValues', stop: 'StopTransaction' },
  boot: { chargePointVendor: 'Busbar', chargePointModel: 'Fault rig' },
  places: [
    { message: 'start', path: ['connectorId'], isNeeded: true },
    { message: 'start', path: ['idTag'], isNeeded: true },
    { message: 'start', path: ['meterStart'], isNeeded: true, isRegister: true },
    ...anywhere('start', [['timestamp'], ['reservationId'], ...extra]),
    ...anywhere('meter', [['connectorId'], ['transactionId'], ['meterValue'], ['meterValue', 0, 'timestamp']]),
    ...anywhere(
      'meter',
      ['value', 'unit', 'context', 'measurand', 'x'].map((name) => ['meterValue', 0, 'sampledValue', 0, name]),
    ),
    { message: 'stop', path: ['meterStop'], isNeeded: true, isRegister: true },
    ...anywhere('stop', [['timestamp'], ['idTag'], ['reason'], ['transactionData'], ...extra]),
    ...anywhere('stop', [['transactionData', 0, 'sampledValue', 0, 'value']]),
  ],
  fields(message, { at, transactionId, beginWh, endWh }) {
    const timestamp = timeOf(at, message)
    const sampledValue = [{ value: '230', measurand: 'Voltage', unit: 'V', context: 'Sample.Periodic' }]
    if (message === 'start') return { connectorId: 1, idTag: token, meterStart: beginWh, timestamp, reservationId: 0 }
    const meterValue = [{ timestamp, sampledValue }]
    if (message === 'meter') return { connectorId: 1, transactionId, meterValue }
    return { transactionId, meterStop: endWh, timestamp, idTag: token, reason: 'Local', transactionData: meterValue }
  },
}

const eventPlaces = (message: Place['message']): Place[] => [
  { message, path: ['eventType'], isNeeded: true },
  { message, path: ['seqNo'], isNeeded: true },
  ...anywhere(message, [['timestamp'], ['triggerReason'], ['offline'], ['evse'], ['evse', 'id'], ...extra]),
  ...anywhere(message, [
    ['transactionInfo', 'chargingState'],
    ['meterValue', 0, 'timestamp'],
  ]),
  { message, path: ['meterValue', 0, 'sampledValue', 0, 'value'], isRegister: true },
]

const v201: Dialect = {
  protocol: 'ocpp2.0.1',
  actions: { start: 'TransactionEvent', meter: 'TransactionEvent', stop: 'TransactionEvent' },
  boot: { reason: 'PowerUp', chargingStation: { vendorName: 'Busbar', model: 'Fault rig' } },
  places: [
    ...eventPlaces('start'),
    ...anywhere('start', [['idToken'], ['idToken', 'idToken'], ['idToken', 'type']]),
    ...anywhere('meter', [['meterValue'], ['meterValue', 0, 'sampledValue', 0, 'unitOfMeasure']]),
    ...eventPlaces('stop'),
    ...anywhere('stop', [['transactionInfo', 'stoppedReason']]),
  ],
  fields(message, { at, transactionId, beginWh, endWh }) {
    const timestamp = timeOf(at, message)
    const ofMessage = {
      start: {
        eventType: 'Started',
        triggerReason: 'Authorized',
        seqNo: 0,
        value: beginWh,
        context: 'Transaction.Begin',
      },
      meter: {
        eventType: 'Updated',
        triggerReason: 'MeterValuePeriodic',
        seqNo: 1,
        value: new Raw('230'),
        context: 'Sample.Periodic',
      },
      stop: { eventType: 'Ended', triggerReason: 'EVDeparted', seqNo: 2, value: endWh, context: 'Transaction.End' },
    }[message]
    const { value, context, ...event } = ofMessage
    const measurand = message === 'meter' ? 'Voltage' : 'Energy.Active.Import.Register'
    return {
      ...{ ...event, timestamp, offline: false, evse: { id: 1, connectorId: 1 } },
      transactionInfo: { transactionId, chargingState: message === 'stop' ? 'Idle' : 'Charging' },
      ...(message === 'start' && { idToken: { idToken: token, type: 'ISO14443' } }),
      meterValue: [{ timestamp, sampledValue: [{ value, measurand, context }] }],
    }
  },
}

export const dialects: readonly Dialect[] = [v16, v201]

/** The fields as JSON text, with a crafted value in one place. */
export function toJson(fields: Fields, path: readonly (string | 0)[], crafted: CraftedValue): string {
  return write(fields, path, crafted)
}

function write(value: unknown, path: readonly (string | 0)[] | null, crafted: CraftedValue): string {
  if (path?.length === 0) return crafted.json === '' ? write(value, null, crafted) : crafted.json
  if (value instanceof Raw) return value.json
  if (Array.isArray(value)) {
    return `[${value.map((each, index) => write(each, path?.[0] === index ? path.slice(1) : null, crafted)).join()}]`
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? {})
  const [name, ...rest] = path ?? []
  const members = Object.entries(value).map(
    ([key, each]) => `"${key}":${write(each, key === name ? rest : null, crafted)}`,
  )
  if (typeof name === 'string') {
    if (!Object.hasOwn(value, name)) members.push(`"${name}":${write({}, rest, crafted)}`)
    // A key that comes twice: of the two the last counts.
    else if (rest.length === 0 && crafted.json === '') members.unshift(`"${name}":"not this one"`)
  }
  return `{${members.join()}}`
}
