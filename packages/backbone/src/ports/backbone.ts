import type { Topics } from '../topics.js'
import type { EventLog } from './event-log.js'
import type { JobWakes } from './job-wakes.js'
import type { Outbox } from './outbox.js'
import type { Ownership } from './ownership.js'
import type { StationChannels } from './station-channels.js'

export interface Backbone {
  log: EventLog
  channels: StationChannels
  ownership: Ownership
  jobs: JobWakes
  outbox: Outbox
  topics: Topics
  /** Ends what was started; consumers, tails and sweeps are stopped by who started them, before this. */
  close(): Promise<void>
}
