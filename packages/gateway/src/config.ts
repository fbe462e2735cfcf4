import type { Protocol, ServiceName } from '@busbar/ocpp'
import type { TlsConfig } from './tls/server-context.js'

export interface GatewayConfig {
  host: string
  /** Without TLS. 0 takes a free one. */
  port: number
  /** A second port, for security profiles 2 and 3; null where proxies end TLS, or where there is none. */
  tls: TlsConfig | null
  /** Admits unknown stations, and stations without credentials. */
  dev: boolean
  /** Profile 0 (no credentials), for those 1.6 stations that are set to it. */
  allowProfile0: boolean
  /** Subprotocols on offer; the station's order decides. */
  protocols: readonly Protocol[]
  /** Lanes that a service reads. A call that needs a decision on any other is answered NotSupported. */
  servedLanes: ReadonlySet<ServiceName>
  /** Addresses or CIDR ranges whose X-Forwarded-* is believed and whose headers may be larger. */
  trustedProxies: readonly string[]
  /** In which those proxies pass the client certificate on, lower case; null when they end no TLS. */
  certificateHeader: string | null
  /** What O of a client certificate has to be; null: anything. */
  operatorName: string | null
  /** Trust anchors and revocations are read this often. */
  trustPollMs: number

  upgradesPerSecond: number
  upgradeBurst: number
  /** Wrong credentials or ids per minute, address and station; then 429. */
  failuresPerMinute: number
  /** For a caller's whole request head. */
  headersTimeoutMs: number
  /** Postgres gets this long before a cached copy serves. */
  credentialsWithinMs: number

  /** Between WebSocket pings; below the idle timeout of the mobile networks stations sit behind. */
  pingIntervalSeconds: number
  /** Nothing heard, pongs included: the socket is dead. Two pings and a margin. */
  silentAfterSeconds: number
  /** A station that never was registered has this long to say something. */
  firstCallWithinSeconds: number
  /** Heartbeats are gathered into one record per station and interval. */
  presenceIntervalSeconds: number

  /** After inflating. */
  maxMessageBytes: number
  /** While the station is not accepted. */
  maxMessageBytesBeforeAccepted: number
  /** Frames of all stations that wait for an answer; above it sockets are not read. */
  maxBytesInHand: number
  /** Answers and calls a station does not read; above it the socket is cut. */
  maxUnreadBytes: number
  /** Inbound calls of one station without an answer; the next one waits unread. */
  maxPendingCalls: number

  /** A logged call without a decision gets its safe answer then. */
  safeAnswerAfterMs: number
  /** Neither logged nor answered by then: the socket is closed with 1013, so that the station queues. */
  answerWithinMs: number
  /** For the answer to a call of ours, unless the actions table says otherwise. */
  callTimeoutMs: number
  /** Our calls behind the one in flight. */
  maxQueuedCalls: number
  /** How long a message may follow the trigger that the station accepted while it is not registered. */
  triggerWindowSeconds: number

  leaseRenewMs: number
  /** Deadlines, pings and claims are looked at this often. */
  tickMs: number
  /** Over which all sockets are closed when the gateway leaves, at most. */
  drainSeconds: number
  /** For what is in flight at a socket before it is closed. */
  finishWithinMs: number
}

const mebibyte = 1024 * 1024

export const gatewayDefaults: GatewayConfig = {
  host: '0.0.0.0',
  port: 9000,
  tls: null,
  dev: false,
  allowProfile0: false,
  protocols: ['ocpp2.0.1', 'ocpp1.6'],
  servedLanes: new Set<ServiceName>(['stations', 'transactions', 'smart-charging', 'reservations', 'commands']),
  trustedProxies: [],
  certificateHeader: null,
  operatorName: null,
  trustPollMs: 15_000,
  upgradesPerSecond: 2_000,
  upgradeBurst: 2_000,
  failuresPerMinute: 30,
  headersTimeoutMs: 5_000,
  credentialsWithinMs: 2_000,
  pingIntervalSeconds: 30,
  silentAfterSeconds: 70,
  firstCallWithinSeconds: 60,
  presenceIntervalSeconds: 300,
  maxMessageBytes: 4 * mebibyte,
  maxMessageBytesBeforeAccepted: mebibyte,
  maxBytesInHand: 256 * mebibyte,
  maxUnreadBytes: mebibyte,
  maxPendingCalls: 16,
  safeAnswerAfterMs: 4_000,
  answerWithinMs: 20_000,
  callTimeoutMs: 30_000,
  maxQueuedCalls: 100,
  triggerWindowSeconds: 60,
  leaseRenewMs: 5_000,
  tickMs: 100,
  drainSeconds: 60,
  finishWithinMs: 10_000,
}

/** Close codes we use (RFC 6455 §7.4 and the IANA registry; 4409 is of ours). */
export const closeCodes = {
  goingAway: 1001,
  policy: 1008,
  tooBig: 1009,
  bug: 1011,
  restart: 1012,
  tryLater: 1013,
  /** A newer connection of this station took over. */
  takenOver: 4409,
} as const
