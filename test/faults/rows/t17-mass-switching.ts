import { setTimeout as sleep } from 'node:timers/promises'
import { ApiClient } from '../../support/api-client.js'
import { inParallel, type Rig } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

/** Stations that one account may switch within a minute without anybody's approval. */
const alone = 50
/** Of one bulk command: as many as it may be meant for. */
const slice = 40

const ways = [
  { path: 'commands', body: { action: 'ChangeAvailability', payload: { connectorId: 1, type: 'Inoperative' } } },
  { path: 'unlock', body: { connector: 1 } },
  { path: 'availability', body: { connector: 1, operative: false } },
]

export const massSwitching = row({
  id: 'T17',
  fault: 'a stolen account of an operator switches the fleet, in a loop and by bulk commands that it approves itself',
  sizes: { small: { stations: 80, seconds: 5 }, full: { stations: 200, seconds: 120 } },
  async run(rig, { stations, seconds }) {
    const { api } = rig.system
    // Of a small fleet it might switch fewer.
    const fleet = Array.from({ length: 500 }, (_, index) => ({ id: `FLEET-${index}` }))
    await api.expect('POST', '/imports/stations', fleet)
    const ids = await rig.registerStations('SWITCH', stations)
    const switchedAt = await listen(rig, ids)
    const stolen = new ApiClient(api.url, await rig.issuer.token({ sub: 'stolen', roles: ['operator'] }))
    const began = Date.now()
    const statuses = new Map<number, number>()
    const [wished, approvals] = [[] as string[], [] as number[]]
    while (Date.now() < began + seconds * 1_000 && !rig.isOver) {
      await inParallel(rig.random.shuffled(ids), 20, async (id) => {
        const { path, body } = rig.random.pick(ways)
        const { status } = await stolen.request('POST', `/stations/${id}/${path}`, body)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      })
      for (let from = 0; from < ids.length; from += slice) {
        const { id, status } = await wish(stolen, ids.slice(from, from + slice))
        wished.push(id)
        if (status !== 'awaiting-approval') continue
        approvals.push((await stolen.request('POST', `/bulk-commands/${id}/approve`, { reason: 'mine' })).status)
      }
      await sleep(1_000)
    }
    const reason = { reason: 'the row is over' }
    for (const id of wished) await api.request('POST', `/bulk-commands/${id}/cancel`, reason)
    await rig.drained()
    const most = mostWithinAMinute(switchedAt)
    const strange = [...statuses].filter(([status]) => ![200, 202, 429].includes(status))
    return {
      injected: `${[...statuses.values()].reduce((sum, count) => sum + count, 0)} commands one by one and ${wished.length} bulk commands in ${seconds} s, to ${stations} stations`,
      figures: [
        exactly('stations switched within a minute, at most', most, alone),
        none('bulk commands that it approved itself', approvals.filter((status) => status < 300).map(String)),
        none(
          'answers of another kind',
          strange.map(([status, count]) => `${count} of ${status}`),
        ),
        shown('answers', [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')),
        shown('approvals tried', approvals.length),
      ],
    }
  },
})

/** @returns when each station was switched */
async function listen(rig: Rig, ids: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>> {
  const switchedAt = new Map<string, number[]>(ids.map((id) => [id, []]))
  await inParallel(ids.entries(), 20, async ([index, id]) => {
    const socket = await rig.connect(id, index)
    for (const [action, status] of [
      ['ChangeAvailability', 'Accepted'],
      ['UnlockConnector', 'Unlocked'],
    ] as const) {
      socket.on(action, () => {
        switchedAt.get(id)?.push(Date.now())
        return { status }
      })
    }
  })
  return switchedAt
}

function wish(stolen: ApiClient, stations: readonly string[]): Promise<{ id: string; status: string }> {
  const payload = { connectorId: 1, type: 'Operative' }
  return stolen.expect('POST', '/bulk-commands', {
    ...{ action: 'ChangeAvailability', payload, stations, pacePerMinute: alone, jitterSeconds: 0 },
  })
}

/** Different stations within any minute; the way to a station is not always as long, so not quite a minute. */
function mostWithinAMinute(switchedAt: ReadonlyMap<string, readonly number[]>): number {
  const all = [...switchedAt.values()]
  const startsAt = all.flat()
  const within = (from: number) => all.filter((times) => times.some((at) => at >= from && at < from + 58_000)).length
  return Math.max(0, ...startsAt.map(within))
}
