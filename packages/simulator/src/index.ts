export { Ledger, type LedgerCall, type LedgerCommand, type Session } from './ledger.js'
export { patientRetry, type RetryPolicy } from './retry.js'
export { type SimulatedStation, type SimulateOptions, type SimulationSummary, simulate } from './simulate.js'
export {
  type Answer,
  type CallHandler,
  NoAnswer,
  type SeenFrame,
  StationSocket,
  type StationSocketOptions,
  UpgradeRefused,
} from './station-socket.js'
export { type ChargeOptions, VirtualStation, type VirtualStationOptions } from './virtual-station.js'
