import net from 'node:net'
import { type ISocketFactory, Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import type { Logger } from 'pino'

export interface KafkaAddress {
  brokers: string[]
  log: Logger
  /** How sockets are made; tests cut the network here. */
  socketFactory?: ISocketFactory
}

/** kafkajs leaves Nagle's algorithm on, which delays small requests. */
const noDelaySockets: ISocketFactory = ({ host, port, onConnect }) => {
  const socket = net.connect({ host, port, noDelay: true }, onConnect)
  socket.setKeepAlive(true, 60_000)
  return socket
}

/**
 * One per use: kafkajs shares offsets of a group between all consumers of one instance.
 * @param options retry: always given, for kafkajs has other defaults where NODE_ENV is "test"
 */
export function createKafka(
  { brokers, log, socketFactory }: KafkaAddress,
  options: Required<Pick<KafkaConfig, 'retry' | 'requestTimeout'>>,
): Kafka {
  return new Kafka({
    ...options,
    clientId: 'busbar',
    brokers,
    connectionTimeout: 3000,
    socketFactory: socketFactory ?? noDelaySockets,
    logLevel: logLevel.WARN,
    // Its errors are mostly attempts that are repeated: what failed for good reaches us as an exception.
    logCreator:
      () =>
      ({ namespace, log: { message, timestamp: _timestamp, logger: _logger, ...details } }) =>
        log.warn({ ...details, namespace }, message),
  })
}
