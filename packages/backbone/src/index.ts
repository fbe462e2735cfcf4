export { countUnreadEmbeddedRecords } from './embedded/event-log.js'
export type { KafkaAccess } from './kafka/client.js'
export { createTopics, fewestReplicas, findTopicWeaknesses, type TopicSettings } from './kafka/topics.js'
export {
  type DistributedBackboneOptions,
  type EmbeddedBackboneOptions,
  openDistributedBackbone,
  openEmbeddedBackbone,
} from './open.js'
export type { Backbone } from './ports/backbone.js'
export {
  type ConsumeOptions,
  type EventLog,
  type Headers,
  type LogBatch,
  type LogRecord,
  maxRecordBytes,
  type OutgoingRecord,
  type TailOptions,
} from './ports/event-log.js'
export type { Job, JobWakes } from './ports/job-wakes.js'
export { apiSource, type Outbox, type OutboxRow } from './ports/outbox.js'
export {
  type Dispatched,
  type LapsedGateway,
  leaseMs,
  type Newcomer,
  type Ownership,
  type ProvenProfile,
  provenForMs,
} from './ports/ownership.js'
export {
  type CallAnswer,
  type ChannelListener,
  type ChannelMessage,
  type CommandMessage,
  gatewaysChannel,
  type RefusedAttempt,
  refusedChannel,
  type StationChannels,
  stationChannel,
  type Verdict,
  verdictsChannel,
} from './ports/station-channels.js'
export type { RedisAddress } from './redis/connection.js'
export { findRedisWeaknesses } from './redis/weaknesses.js'
export { askGateways } from './shared/ask-gateways.js'
export { jobStatements } from './shared/jobs.js'
export { quirkCounter, sharedMetric } from './shared/registry.js'
export { type ServiceName, serviceNames, type Topics, topicNames } from './topics.js'
