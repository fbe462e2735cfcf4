import { type Dialect, type Protocol, toDialect } from '@busbar/ocpp'

export interface FollowUpRule {
  /** After the station agreed; what has not come by then makes the command `incomplete`. */
  timeoutSeconds: number
}

const report: FollowUpRule = { timeoutSeconds: 600 }

/** Firmware waits for the hour it was asked for, and a file for the uplink of a mobile network. */
const transfer: FollowUpRule = { timeoutSeconds: 86_400 }

/** Commands whose answer only announces what comes later. */
const followUps: Readonly<Record<Dialect, Readonly<Record<string, FollowUpRule>>>> = {
  'ocpp1.6': { GetDiagnostics: transfer, GetLog: transfer, SignedUpdateFirmware: transfer, UpdateFirmware: transfer },
  'ocpp2.0.1': { GetBaseReport: report, GetReport: report },
}

export function followUpOf(protocol: Protocol | null, action: string): FollowUpRule | undefined {
  return protocol === null ? undefined : followUps[toDialect(protocol)][action]
}
