export type CallAnswer = { result: object } | { error: { code: string; message: string } }

/** An operator's wish on its way to the connection of one epoch. */
export interface CommandMessage {
  kind: 'command'
  commandId: string
  callIndex: number
  /** Only the connection registered under it may send. */
  epoch: number
  /** ISO time; not sent after it. */
  expiresAt: string
  action: string
  payload: object
  /** Sent only once the inbound call of this connection and sequence is answered. */
  afterSequence?: { connectionId: string; sequence: number }
}

/** A caller that a gateway turned away before the upgrade. */
export interface RefusedAttempt {
  /** '' for one that got no TLS: it named no station. */
  stationId: string
  /** The last one: unknown, credentials, profile, protocol, certificate-*, tls-*; throttled where no other is known. */
  reason: string
  address: string
  count: number
  /** ISO time. */
  lastAt: string
}

/** Of a command, or of an operator's request. */
export interface Verdict {
  commandId: string
  status: string
  response: unknown
  error: unknown
}

export type ChannelMessage =
  | { kind: 'answer'; connectionId: string; sequence: number; answer: CallAnswer }
  | CommandMessage
  | { kind: 'takeover'; epoch: number; connectionId: string }
  | { kind: 'registration'; registration: 'Accepted' | 'Pending' | 'Rejected' }
  | { kind: 'verdicts'; verdicts: readonly Verdict[] }
  | { kind: 'refused-query'; id: string }
  | { kind: 'refused-attempts'; gatewayId: string; attempts: readonly RefusedAttempt[] }

export const stationChannel = (stationId: string): string => `station:${stationId}`
/** All API processes listen to it. */
export const verdictsChannel = 'verdicts'
/** All gateways listen to it. */
export const gatewaysChannel = 'gateways'
/** Where a query for refused attempts is answered. */
export const refusedChannel = (queryId: string): string => `refused:${queryId}`

/** An object rather than a function: there is one for each station that is connected, and closures take room. */
export interface ChannelListener {
  /** Must not throw; called with its own copy of the message. */
  receive(message: ChannelMessage): void
}

/**
 * Messages to whoever listens now; nothing is kept. Order per channel and publisher. Delivery: at most once, nothing is
 * sent a second time.
 */
export interface StationChannels {
  /** Whether messages arrive at this moment. */
  readonly isAvailable: boolean
  /**
   * Resolves once messages arrive. While Redis is away it resolves when that has lasted 1 s, and they arrive from its
   * return on; a lost subscription comes back by itself.
   */
  subscribe(channel: string, listener: ChannelListener): Promise<void>
  /** Ends a subscription of this listener; nothing happens where it has none. */
  unsubscribe(channel: string, listener: ChannelListener): Promise<void>
  /**
   * @returns how many subscribers took each message, in order
   * @throws UnavailableError within 1 s
   */
  publish(messages: readonly { channel: string; message: ChannelMessage }[]): Promise<number[]>
  /**
   * Resolves once the listeners of this process have been called with whatever was published before.
   * @throws UnavailableError within 1 s
   */
  heard(): Promise<void>
}
