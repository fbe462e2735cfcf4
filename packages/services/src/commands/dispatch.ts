import type { Dispatch, Ports } from '../pipeline/service.js'

type DispatchPorts = Pick<Ports, 'backbone' | 'clock'>

/**
 * Hands committed CALLs to the gateways, each once: a worker that dies in between never tries again, and the command
 * ends `unknown` when it falls due. Where nobody took a CALL, that word goes onto the lane like a gateway's outcome, so
 * that the owner of the partition gives the verdict in order.
 */
export async function dispatchAll(dispatches: readonly Dispatch[], ports: DispatchPorts): Promise<void> {
  await Promise.all(dispatches.map((dispatch) => dispatchOne(dispatch, ports)))
}

async function dispatchOne({ stationId, command }: Dispatch, ports: DispatchPorts): Promise<void> {
  const { ownership, log, topics } = ports.backbone
  const word = await refusalOf(() => ownership.dispatch(stationId, command), new Date(command.expiresAt), ports)
  if (!word) return
  const { commandId, callIndex, action } = command
  const at = (ports.clock?.() ?? new Date()).toISOString()
  await log.append({
    topic: topics.outcomes,
    key: stationId,
    value: JSON.stringify({ commandId, callIndex, action, ...word, at, late: false }),
    headers: { type: 'outcome', station: stationId, receivedAt: at },
  })
}

type Refusal = { outcome: 'expired' } | { outcome: 'undeliverable'; error: { code: string; description: string } }

/** Null when somebody took it. */
async function refusalOf(
  dispatch: () => Promise<{ receivers: number; epoch: number | null }>,
  expiresAt: Date,
  { clock }: DispatchPorts,
): Promise<Refusal | null> {
  // A worker may have slept since its commit.
  if ((clock?.() ?? new Date()) >= expiresAt) return { outcome: 'expired' }
  try {
    const { receivers, epoch } = await dispatch()
    if (epoch !== null && receivers > 0) return null
    return undeliverable('NotConnected', 'The station is not connected')
  } catch (cause) {
    return undeliverable('ChannelsUnavailable', cause instanceof Error ? cause.message : String(cause))
  }
}

function undeliverable(code: string, description: string): Refusal {
  return { outcome: 'undeliverable', error: { code, description } }
}
