/** The subprotocol a connection agreed on (OCPP-J 1.6 §3.1.2; 2.0.1 part 4 §3.1). */
export type Protocol = 'ocpp1.6' | 'ocpp2.0.1' | 'ocpp2.1'

/** The versions that differ in their actions; 2.1 is treated as 2.0.1. */
export type Dialect = 'ocpp1.6' | 'ocpp2.0.1'

export function toDialect(protocol: Protocol): Dialect {
  return protocol === 'ocpp1.6' ? 'ocpp1.6' : 'ocpp2.0.1'
}

/** The services behind the lanes of Kafka; each lane is the topic `busbar.ocpp.<service>`. */
export type ServiceName =
  | 'stations'
  | 'transactions'
  | 'smart-charging'
  | 'reservations'
  | 'commands'
  | 'notifications'
  | 'journal'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A JSON object off the wire, not yet held against its schema. */
export type Payload = Record<string, unknown>

/** What a station was told about its registration; null before its first boot. */
export type Registration = 'Accepted' | 'Pending' | 'Rejected' | null

export type MessageType = 'request' | 'response'

export function isObject(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
