import type { Protocol } from '@busbar/ocpp'

/** What a station is allowed to speak. */
export interface ProtocolPolicy {
  /** Empty: all that are enabled. */
  protocols: readonly string[]
  /** Assumed when the upgrade names none; null refuses it. */
  protocolWithoutHeader: string | null
}

/**
 * The first in the station's order that is enabled here and for it (OCPP 2.0.1 part 4 §3.1.3).
 * @param header Sec-WebSocket-Protocol
 * @returns null when there is none in common
 */
export function chooseProtocol(
  header: string | undefined,
  enabled: readonly Protocol[],
  policy: ProtocolPolicy,
): Protocol | null {
  const offered = (header ?? policy.protocolWithoutHeader ?? '').split(',').map((each) => each.trim())
  const allowed = enabled.filter((each) => policy.protocols.length === 0 || policy.protocols.includes(each))
  for (const name of offered) {
    const protocol = allowed.find((each) => each === name)
    if (protocol) return protocol
  }
  return null
}
