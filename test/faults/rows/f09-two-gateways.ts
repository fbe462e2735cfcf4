import { setTimeout as sleep } from 'node:timers/promises'
import { Ledger, VirtualStation } from '@busbar/simulator'
import { until } from '../../support/system.js'
import { Fleet } from '../fleet.js'
import { checkInvariants, type Held } from '../invariants.js'
import { Latencies, password } from '../rig.js'
import { row, shown } from '../row.js'

const prefix = 'TWIN'
const takenOver = 4409

interface Twins {
  id: string
  halves: readonly VirtualStation[]
}

/** Two halves of one station, each at a gateway of its own and at a connector of its own; each comes back when it is thrown out. */
function twinsOf(id: string, urls: readonly string[], reconnectMs: number): Twins {
  const halves = urls.map(
    (url, index) =>
      new VirtualStation({ id, password, protocol: 'ocpp1.6', urls: [url], connectors: index + 1, reconnectMs }),
  )
  return { id, halves }
}

/** What both halves did and were told is what the station did and was told. */
function toHeld(twins: readonly Twins[], { commands }: Fleet): Held {
  const stations = twins.map(({ id, halves }) => {
    const ledger = new Ledger()
    for (const half of halves) {
      ledger.calls.push(...half.ledger.calls)
      ledger.sessions.push(...half.ledger.sessions)
      ledger.commands.push(...half.ledger.commands)
    }
    return { id, ledger }
  })
  return { prefix, stations, commands }
}

/** How long both halves are connected, each time that happens. */
async function watchOverlaps(twins: readonly Twins[], overlaps: Latencies, life: AbortSignal): Promise<void> {
  const since = new Map<Twins, number>()
  while (!life.aborted) {
    for (const each of twins) {
      const isDouble = each.halves.every(({ socket }) => socket !== null)
      const startedAt = since.get(each)
      if (isDouble && startedAt === undefined) since.set(each, performance.now())
      if (isDouble || startedAt === undefined) continue
      overlaps.add(performance.now() - startedAt)
      since.delete(each)
    }
    await sleep(10)
  }
  for (const startedAt of since.values()) overlaps.add(performance.now() - startedAt)
}

export const twoGateways = row({
  id: 'F9',
  fault: 'a station is at two gateways, each connection throws the other out, 20 times a minute',
  needsProcesses: true,
  sizes: {
    small: { stations: 3, seconds: 8, reconnectMs: 2_000 },
    full: { stations: 15, seconds: 900, reconnectMs: 6_000 },
  },
  async run(rig, { stations, seconds, reconnectMs }) {
    const ids = await rig.registerStations(prefix, stations)
    const twins = ids.map((id) => twinsOf(id, rig.system.urls, reconnectMs))
    const halves = twins.flatMap((each) => each.halves)
    const fleet = new Fleet(rig, prefix, halves)
    const [life, overlaps] = [new AbortController(), new Latencies()]
    await Promise.all(halves.map((half) => half.start()))
    const watching = watchOverlaps(twins, overlaps, life.signal)
    const endsAt = Date.now() + seconds * 1_000
    await fleet.during(async () => {
      while (Date.now() < endsAt && !rig.isOver) await sleep(100)
    })
    await until('both halves have said everything', () => halves.every(({ queued }) => queued === 0), 120_000)
    life.abort()
    await watching
    await fleet.stop()
    await rig.drained()
    const [thrownOut] = await rig.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM journal_frame
       WHERE station_id LIKE '${prefix}-%' AND kind = 'disconnected' AND convert_from(frame, 'UTF8') LIKE '%${takenOver}%'`,
    )
    const times = thrownOut?.count ?? 0
    const recovery = { times, each: overlaps, goalSeconds: 2 }
    return {
      injected: `${stations} stations thrown out ${times} times`,
      invariants: await checkInvariants(rig, toHeld(twins, fleet), recovery),
      figures: [shown('both connections open, p50', overlaps.at(0.5), 'ms')],
    }
  },
})
