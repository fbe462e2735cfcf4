import type { Payload, Protocol, Registration } from '@busbar/ocpp'

/** What a trigger makes the station send; where the names are the same they are left out. */
const triggeredActions: Record<string, Record<string, string>> = {
  TriggerMessage: {
    SignChargingStationCertificate: 'SignCertificate',
    SignV2GCertificate: 'SignCertificate',
    SignCombinedCertificate: 'SignCertificate',
  },
  // 1.6 security white paper, edition 3 §5: the signed variants belong to the extended trigger.
  ExtendedTriggerMessage: {
    SignChargePointCertificate: 'SignCertificate',
    FirmwareStatusNotification: 'SignedFirmwareStatusNotification',
  },
}

/** Reports come back in messages of their own, marked with the requestId of our call. */
const reportActions: Record<string, string> = {
  GetBaseReport: 'NotifyReport',
  GetReport: 'NotifyReport',
  GetMonitoringReport: 'NotifyMonitoringReport',
}

const maxReports = 20

/**
 * What a station that is not accepted may say: only BootNotification, and what we asked for.
 * @see OCPP 2.0.1 part 2 B02.FR.01, B02.FR.09, B03.FR.07; OCPP-J 1.6 errata §3.10
 */
export class Gate {
  readonly #windowMs: number
  /** Action -> until when a message of it may come, monotonic milliseconds. */
  readonly #triggered = new Map<string, number>()
  /** `NotifyReport 17`, the oldest first. */
  readonly #reports = new Set<string>()

  /** @param windowMs after an accepted trigger; one trigger may bring a message for every connector */
  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  admits(action: string, payload: Payload, now: number): boolean {
    if (action === 'BootNotification') return true
    const until = this.#triggered.get(action)
    if (until !== undefined && now <= until) return true
    return this.#reports.has(`${action} ${String(payload.requestId)}`)
  }

  /** A call of ours was answered: what it asks for may follow. */
  answered(action: string, request: Payload, response: Payload, now: number): void {
    if (response.status !== 'Accepted') return
    const names = triggeredActions[action]
    const { requestedMessage, requestId } = request
    if (names && typeof requestedMessage === 'string') {
      this.#triggered.set(names[requestedMessage] ?? requestedMessage, now + this.#windowMs)
    }
    const report = reportActions[action]
    if (!report) return
    this.#reports.add(`${report} ${String(requestId)}`)
    for (const oldest of this.#reports) {
      if (this.#reports.size <= maxReports) return
      this.#reports.delete(oldest)
    }
  }
}

const remoteControl = new Set([
  'RemoteStartTransaction',
  'RemoteStopTransaction',
  'RequestStartTransaction',
  'RequestStopTransaction',
])

/**
 * Whether we may send this call to a station with this registration.
 * @returns why not, or null
 * @see OCPP 1.6 §4.2; OCPP 2.0.1 part 2 B02.FR.05, B03.FR.03. A trigger of the next boot is what the certification tool
 *   wants to see of a rejected 2.0.1 station (TC_B_31).
 */
export function refusalToSend(
  protocol: Protocol,
  registration: Registration,
  action: string,
  payload: Payload,
): string | null {
  if (registration === 'Accepted') return null
  if (remoteControl.has(action)) return 'The station is not accepted: no remote start or stop'
  if (registration !== 'Rejected') return null
  const triggersBoot = action === 'TriggerMessage' && payload.requestedMessage === 'BootNotification'
  return triggersBoot && protocol !== 'ocpp1.6' ? null : 'The station is rejected: nothing is sent to it'
}
