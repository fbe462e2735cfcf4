import type { IncomingHttpHeaders } from 'node:http'
import type { Vault } from '@busbar/store'
import type { GatewayConfig } from '../config.js'
import type { Trust } from '../tls/trust.js'
import type { TokenBucket } from './admission.js'
import type { ProfileLocks } from './profile-locks.js'
import type { StationDirectory } from './station-directory.js'
import type { Throttle } from './throttle.js'
import type { Transport } from './transport.js'
import type { Turns } from './turns.js'

/** What an upgrade asks for. */
export interface UpgradeRequest extends Pick<Transport, 'address' | 'isSecure' | 'certificate'> {
  method: string | undefined
  target: string
  headers: IncomingHttpHeaders
}

/** What the way in leans on. */
export interface UpgradePorts {
  config: GatewayConfig
  directory: StationDirectory
  vault: Vault
  trust: Trust
  locks: ProfileLocks
  throttle: Throttle
  turns: Turns
  bucket: TokenBucket
  isLogAvailable: () => boolean
  /** Milliseconds, monotonic. */
  now: () => number
  today: () => Date
}
