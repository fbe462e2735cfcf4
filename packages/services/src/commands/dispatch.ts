import type { Ownership } from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
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
  const word = await wordOn(() => ownership.dispatch(stationId, command))
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

type Word = { outcome: 'expired' } | { outcome: 'undeliverable' | 'lost'; error: { code: string; description: string } }

/** Null when somebody took it, and will say what became of it. */
async function wordOn(dispatch: () => ReturnType<Ownership['dispatch']>): Promise<Word | null> {
  try {
    const dispatched = await dispatch()
    if (dispatched === 'repeated') return null
    if (dispatched === 'expired') return { outcome: 'expired' }
    if (dispatched === 'unsure') {
      const description = 'The way to the gateways broke off: the station may have got it'
      return { outcome: 'lost', error: { code: 'ChannelsUnavailable', description } }
    }
    const { receivers, epoch } = dispatched
    return epoch !== null && receivers > 0 ? null : undeliverable('NotConnected', 'The station is not connected')
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause
    return undeliverable('ChannelsUnavailable', cause.message)
  }
}

function undeliverable(code: string, description: string): Word {
  return { outcome: 'undeliverable', error: { code, description } }
}
