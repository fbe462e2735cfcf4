import { randomUUID } from 'node:crypto'
import {
  type ChannelListener,
  gatewaysChannel,
  type RefusedAttempt,
  refusedChannel,
  type StationChannels,
} from '../ports/station-channels.js'

/** A gateway that is slower is left out. */
const withinMs = 1_000

/**
 * Asks all gateways whom they turned away, for they keep it in memory only.
 * @returns answers by gateway; asked: how many there are, those that gave none included
 * @throws UnavailableError
 */
export async function askGateways(
  channels: StationChannels,
  closing: AbortSignal,
): Promise<{ answers: ReadonlyMap<string, readonly RefusedAttempt[]>; asked: number }> {
  const id = randomUUID()
  const answers = new Map<string, readonly RefusedAttempt[]>()
  let end = () => {}
  const allAnswered = new Promise<void>((resolve) => {
    end = resolve
  })
  let expected = Number.POSITIVE_INFINITY
  const listener: ChannelListener = {
    receive(message) {
      if (message.kind !== 'refused-attempts') return
      answers.set(message.gatewayId, message.attempts)
      if (answers.size >= expected) end()
    },
  }
  await channels.subscribe(refusedChannel(id), listener)
  const timer = setTimeout(end, withinMs)
  closing.addEventListener('abort', end)
  try {
    const query = { kind: 'refused-query', id } as const
    const [receivers = 0] = await channels.publish([{ channel: gatewaysChannel, message: query }])
    expected = receivers
    if (answers.size < expected && !closing.aborted) await allAnswered
    return { answers, asked: receivers }
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', end)
    await channels.unsubscribe(refusedChannel(id), listener)
  }
}
