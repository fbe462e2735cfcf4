import type { StationPolicy, StationStateRow } from './state.js'

export interface RegistrationDecision {
  status: 'Accepted' | 'Pending' | 'Rejected'
  /** Seconds: between Heartbeats when accepted, until the next BootNotification when not. */
  interval: number
  /** Whether the onboarding script is done now. */
  onboarded: boolean
}

/** Used where an operator set 0: an accepted station would choose for itself (2.0.1 B01.FR.04; 1.6 §4.2). */
const defaultHeartbeatSeconds = 300

/** For a station that nobody registered; long, because an operator has to act first. */
const unknownStationSeconds = 600

/**
 * Decides on a BootNotification by the operator's policy. The onboarding script is empty for now, so it is done as soon
 * as it began: the first boot is Pending, the second Accepted.
 * @param policy null for a station nobody registered
 * @see OCPP 2.0.1 part 2 B01, B02, B03; OCPP 1.6 §4.2
 */
export function decideRegistration(
  policy: StationPolicy | null,
  state: Pick<StationStateRow, 'onboarded'>,
): RegistrationDecision {
  if (!policy) return { status: 'Rejected', interval: unknownStationSeconds, onboarded: state.onboarded }
  const wait = policy.pendingIntervalSeconds
  switch (policy.registrationPolicy) {
    case 'reject':
      return { status: 'Rejected', interval: wait, onboarded: state.onboarded }
    case 'pending':
      return { status: 'Pending', interval: wait, onboarded: state.onboarded }
    case 'onboarding':
      return state.onboarded ? accepted(policy) : { status: 'Pending', interval: wait, onboarded: true }
    default:
      return { ...accepted(policy), onboarded: state.onboarded }
  }
}

function accepted(policy: StationPolicy): RegistrationDecision {
  return { status: 'Accepted', interval: policy.heartbeatIntervalSeconds || defaultHeartbeatSeconds, onboarded: true }
}
