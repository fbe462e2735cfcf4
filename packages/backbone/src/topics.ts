export const serviceNames = [
  'stations',
  'transactions',
  'smart-charging',
  'reservations',
  'commands',
  'notifications',
  'journal',
] as const

/** The services that have a lane; the same names as in the actions table. */
export type ServiceName = (typeof serviceNames)[number]

/** Full names of all topics under one prefix. Every topic has the same number of partitions, the key is the station. */
export interface Topics {
  /** What stations say to one service: `busbar.ocpp.<service>`. */
  lane(service: ServiceName): string
  /** Outcomes of our CALLs; the lane of the commands service. */
  outcomes: string
  /** What we sent to stations, and what we refused of theirs. */
  sent: string
  /** Command requests. */
  commands: string
  /** Verdicts. */
  commandResults: string
  /** CloudEvents. */
  events: string
  /** Nobody reads it: an append to it proves that the log takes records again. */
  canary: string
  /** What stations and gateways say; only services of ours write and read these. */
  frames: string[]
  all: string[]
}

export function topicNames(prefix: string): Topics {
  const lane = (service: ServiceName) => `${prefix}.ocpp.${service}`
  const sent = `${prefix}.ocpp.sent`
  const names = {
    outcomes: lane('commands'),
    sent,
    commands: `${prefix}.commands`,
    commandResults: `${prefix}.command-results`,
    events: `${prefix}.events`,
    canary: `${prefix}.canary`,
  }
  const frames = [...serviceNames.map(lane), sent]
  return { lane, ...names, frames, all: [...new Set([...frames, ...Object.values(names)])] }
}
