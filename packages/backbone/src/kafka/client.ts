import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs'
import type { Logger } from 'pino'
import { BrokerSockets } from './sockets.js'

/** How brokers know us, and we them. */
export interface KafkaAccess {
  /** PEM texts; null: in clear. Without `ca`, the authorities that Node knows. */
  tls: { ca?: string; cert?: string; key?: string } | null
  sasl: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | null
}

export interface KafkaAddress {
  brokers: string[]
  /** Without it, in clear and as anybody. */
  access?: KafkaAccess
  log: Logger
  /** Shared by all clients of a process: what one has found out about a broker the others need not. */
  sockets?: BrokerSockets
}

/**
 * One per use: kafkajs shares offsets of a group between all consumers of one instance.
 * @param options retry: always given, for kafkajs has other defaults where NODE_ENV is "test"
 */
export function createKafka(
  { brokers, access, log, sockets = new BrokerSockets() }: KafkaAddress,
  options: Required<Pick<KafkaConfig, 'retry' | 'requestTimeout'>>,
): Kafka {
  return new Kafka({
    ...options,
    clientId: 'busbar',
    brokers,
    ...(access?.tls && { ssl: access.tls }),
    ...(access?.sasl && { sasl: access.sasl as SASLOptions }),
    connectionTimeout: 3000,
    socketFactory: sockets.open,
    logLevel: logLevel.WARN,
    // Its errors are mostly attempts that are repeated: what failed for good reaches us as an exception.
    logCreator:
      () =>
      ({ namespace, log: { message, timestamp: _timestamp, logger: _logger, ...details } }) =>
        log.warn({ ...details, namespace }, message),
  })
}
