import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSocket } from '@busbar/simulator'
import { inParallel } from '../rig.js'
import { exactly, none, row } from '../row.js'

const path = '/commands?wait=20'

export const retriedStarts = row({
  id: 'F29',
  fault: 'an API client sends one remote start many times under one idempotency key, hanging up now and then',
  sizes: { small: { stations: 4, storms: 20 }, full: { stations: 20, storms: 1_000 } },
  async run(rig, { stations, storms }) {
    const ids = await rig.registerStations('EAGER', stations)
    const started = new Map<string, number>()
    const sockets: StationSocket[] = []
    for (const [index, id] of ids.entries()) {
      const socket = await rig.connect(id, index)
      socket.on('RemoteStartTransaction', async ({ idTag }) => {
        started.set(String(idTag), (started.get(String(idTag)) ?? 0) + 1)
        await sleep(20)
        return { status: 'Accepted' }
      })
      sockets.push(socket)
    }
    const [otherReplies, notOnce]: [string[], string[]] = [[], []]
    let [stormed, requests] = [0, 0]
    await inParallel(Array(storms).keys(), stations, async (storm) => {
      if (rig.isOver) return
      stormed += 1
      const random = rig.random.fork()
      const idTag = `EAGER-${storm}`
      const key = randomUUID()
      const ask = async () => {
        requests += 1
        const { status, body } = await rig.system.api.request<{ id: string; status: string }>(
          'POST',
          `/stations/${ids[storm % ids.length]}${path}`,
          { action: 'RemoteStartTransaction', payload: { idTag, connectorId: 1 } },
          { 'idempotency-key': key },
          random.chance(0.2) ? AbortSignal.timeout(random.integer(1, 40)) : undefined,
        )
        return `${status} ${body.id} ${body.status}`
      }
      // Who hangs up gets no reply; the others get the same.
      const replies = await Promise.allSettled(Array.from({ length: random.integer(3, 8) }, ask))
      replies.push(...(await Promise.allSettled([ask(), ask()])))
      const said = replies.flatMap((reply) => (reply.status === 'fulfilled' ? [reply.value] : []))
      if (new Set(said).size > 1) otherReplies.push(`${idTag}: ${[...new Set(said)].join(', ')}`)
      if (started.get(idTag) !== 1) notOnce.push(`${idTag}: ${started.get(idTag) ?? 0} times`)
    })
    for (const socket of sockets) socket.close()
    const [booked] = await rig.query<{ count: number }>(
      `SELECT count(*)::int FROM command WHERE station_id LIKE 'EAGER-%' AND status = 'accepted'`,
    )
    return {
      injected: `${requests} requests in ${stormed} storms`,
      figures: [
        none('not executed once', notOnce),
        none('other replies to the same request', otherReplies),
        exactly('commands kept', booked?.count ?? 0, stormed),
      ],
    }
  },
})
