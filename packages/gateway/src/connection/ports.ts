import type { EventLog, Topics } from '@busbar/backbone'
import type { Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { ByteBudget } from '../byte-budget.js'
import type { GatewayConfig } from '../config.js'
import type { KeptRecords } from '../kept-records.js'
import type { GatewayMetrics } from '../metrics.js'
import type { WallClock } from '../wall-clock.js'
import type { Connection } from './connection.js'

/** What all connections of a gateway share. */
export interface ConnectionPorts {
  gatewayId: string
  config: GatewayConfig
  log: EventLog
  topics: Topics
  vault: Vault
  logger: Logger
  metrics: GatewayMetrics
  budget: ByteBudget
  clock: WallClock
  kept: KeptRecords
  /** Connections with something pending; their deadlines are looked at every tick. */
  busy: Set<Connection>
  /** Whether what this gateway owns is still believed to be its own. */
  isLeaseFresh: () => boolean
  /** False after this process did not run for a while, until it has heard who took stations over meanwhile. */
  isAwake: () => boolean
}

/** Who holds the station's address: registered under `epoch`, or not (Redis away), then nobody can send it commands. */
export interface Claim {
  epoch: number
  isOwner: boolean
}
