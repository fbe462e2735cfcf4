import { type Dialect, type Payload, type Protocol, redact, toDialect } from '@busbar/ocpp'
import { isObject, toObjects } from '../pipeline/objects.js'

/** One attribute of a station's device model, as an answer tells it. */
export interface KnownValue {
  /** Name '' for a configuration key of 1.6, which belongs to no component. */
  component: { name: string; instance?: string; evse?: { id: number; connectorId?: number } }
  variable: { name: string; instance?: string }
  /** Actual | Target | MinSet | MaxSet */
  attributeType: string
  /** Secrets masked; null for a key without a value. */
  value: string | null
  mutability?: 'ReadOnly' | 'ReadWrite'
}

/**
 * What an answer that fits its schema says of the station's variables: those it read out, and those it agreed to set.
 * One that takes effect with the next start (RebootRequired) is not its value yet.
 * @param sent the CALL's payload, secrets sealed
 * @see OCPP 1.6 §5.3, §5.8; 2.0.1 part 2 B05, B06
 */
export function toKnownValues(protocol: Protocol, action: string, sent: Payload, response: Payload): KnownValue[] {
  const read = readers[toDialect(protocol)][action]
  if (!read) return []
  return read(redact(protocol, action, 'request', sent), redact(protocol, action, 'response', response))
}

type Reader = (sent: Payload, response: Payload) => KnownValue[]

const readers: Readonly<Record<Dialect, Readonly<Record<string, Reader>>>> = {
  'ocpp1.6': {
    GetConfiguration: (_, response) =>
      toObjects(response.configurationKey).map(({ key, readonly, value }) => ({
        ...toKey(key, value),
        mutability: readonly === true ? 'ReadOnly' : 'ReadWrite',
      })),
    ChangeConfiguration: ({ key, value }, { status }) => (status === 'Accepted' ? [toKey(key, value)] : []),
  },
  'ocpp2.0.1': {
    GetVariables: (_, response) =>
      toObjects(response.getVariableResult)
        .filter(({ attributeStatus }) => attributeStatus === 'Accepted')
        .flatMap((result) => toAttribute(result, result.attributeValue)),
    SetVariables: (sent, response) => {
      // A station may answer in another order.
      const set = new Map(toObjects(sent.setVariableData).map((item) => [identityOf(item), item.attributeValue]))
      return toObjects(response.setVariableResult)
        .filter((result) => result.attributeStatus === 'Accepted' && set.has(identityOf(result)))
        .flatMap((result) => toAttribute(result, set.get(identityOf(result))))
    },
  },
}

const toText = (value: unknown) => (typeof value === 'string' ? value : null)

function toKey(key: unknown, value: unknown): KnownValue {
  return { component: { name: '' }, variable: { name: String(key) }, attributeType: 'Actual', value: toText(value) }
}

function toAttribute({ component, variable, attributeType }: Payload, value: unknown): KnownValue[] {
  if (!isObject(component) || !isObject(variable)) return []
  return [
    {
      component: component as unknown as KnownValue['component'],
      variable: variable as unknown as KnownValue['variable'],
      attributeType: toText(attributeType) ?? 'Actual',
      value: toText(value),
    },
  ]
}

/** Names compare case-folded. */
function identityOf({ component, variable, attributeType }: Payload): string {
  const { name, instance, evse } = isObject(component) ? component : {}
  const { id, connectorId } = isObject(evse) ? evse : {}
  const named = isObject(variable) ? [variable.name, variable.instance] : []
  const parts = [name, instance, id, connectorId, ...named, attributeType ?? 'Actual']
  return JSON.stringify(parts.map((part) => part ?? '')).toLowerCase()
}
