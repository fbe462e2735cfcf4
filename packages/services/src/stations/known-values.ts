import { type Payload, type Protocol, redact } from '@busbar/ocpp'
import { isObject, toObjects } from '../pipeline/objects.js'

/** One attribute of a station's device model, as an answer tells it. */
export interface KnownValue {
  component: { name: string; instance?: string; evse?: { id: number; connectorId?: number } }
  variable: { name: string; instance?: string }
  /** Actual | Target | MinSet | MaxSet */
  attributeType: string
  /** Secrets masked. */
  value: string | null
}

/**
 * What an answer that fits its schema says of the station's variables: those it read out, and those it agreed to set.
 * One that takes effect with the next start (RebootRequired) is not its value yet.
 * @param sent the CALL's payload, secrets sealed
 * @see OCPP 2.0.1 part 2 B05, B06
 */
export function toKnownValues(protocol: Protocol, action: string, sent: Payload, response: Payload): KnownValue[] {
  const read = readers[action]
  if (!read) return []
  return read(redact(protocol, action, 'request', sent), redact(protocol, action, 'response', response))
}

type Reader = (sent: Payload, response: Payload) => KnownValue[]

/** The configuration keys of 1.6 have a part of their own: `configuration/`. */
const readers: Readonly<Record<string, Reader>> = {
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
}

const toText = (value: unknown) => (typeof value === 'string' ? value : null)

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
