import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSocket } from '@busbar/simulator'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { atMost, none, row } from '../row.js'

const [prefix, ghostPrefix] = ['FROZEN', 'GHOST']

/** A station whose connection at the frozen gateway stays open while it has a newer one elsewhere. */
interface Ghost {
  id: string
  older: StationSocket
  newer: StationSocket
  movedAt: Date
}

/** Commanded while its gateway is frozen, then it moves, and is commanded again. */
async function move(rig: Rig, id: string, older: StationSocket, to: number, failed: string[]): Promise<Ghost> {
  await rig.command(id, 'ClearCache', {})
  const newer = await rig.open(id, to)
  const movedAt = new Date()
  newer.on('ClearCache', () => ({ status: 'Accepted' }))
  const { status } = await rig.command(id, 'ClearCache', {}, { wait: 60 })
  if (status !== 'accepted') failed.push(`${id}: ${status}`)
  return { id, older, newer, movedAt }
}

/** Calls that came over the older connection although there was a newer one. */
function staleCalls({ id, older, movedAt }: Ghost): string[] {
  const calls = older.frames.filter(({ direction, text, at }) => direction === 'in' && text[1] === '2' && at > movedAt)
  return calls.map(({ text }) => `${id}: ${text}`)
}

/** Mostly seconds, now and then minutes. */
const secondsOf = (rig: Rig, longest: number) => 5 + (longest - 5) * rig.random.next() ** 8

export const frozenGateways = row({
  id: 'F8',
  fault: 'a gateway is frozen for 5 s and more, and goes on as if nothing had been',
  needsProcesses: true,
  sizes: {
    small: { stations: 8, ghosts: 4, times: 1, longest: 5 },
    full: { stations: 40, ghosts: 20, times: 200, longest: 300 },
  },
  async run(rig, { stations, ghosts, times, longest }) {
    const nemesis = new Nemesis(rig, 'F8')
    // Behind a frozen gateway an upgrade gets no answer at all.
    const fleet = await Fleet.open(rig, prefix, stations, { callTimeoutMs: 8_000 })
    const ids = await rig.registerStations(ghostPrefix, ghosts)
    const [recoveries, closes] = [new Latencies(), new Latencies()]
    const stale: string[] = []
    const failed: string[] = []
    let frozen = 0

    async function freeze(): Promise<void> {
      const index = nemesis.pick('gateways')
      const olders = await Promise.all(ids.map((id) => rig.connect(id, index)))
      for (const older of olders) older.on('ClearCache', () => ({ status: 'Accepted' }))
      nemesis.freeze('gateways', index)
      frozen += 1
      const until = sleep(secondsOf(rig, longest) * 1_000)
      const serving = recoveries.measure(fleet.served())
      await sleep(rig.random.integer(100, 1_500))
      const moved = await Promise.all(olders.map((older, at) => move(rig, ids[at] ?? '', older, index + 1, failed)))
      await Promise.all([until, serving])
      nemesis.thaw('gateways', index)
      await Promise.all(moved.map(({ older }) => closes.measure(older.closed)))
      stale.push(...moved.flatMap(staleCalls))
      for (const { newer } of moved) newer.close()
      await Promise.all(moved.map(({ newer }) => newer.closed))
    }

    await fleet.during(async () => {
      while (frozen < times && !rig.isOver) await freeze()
    })
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, { times: frozen, each: recoveries, goalSeconds: 30 })
    await fleet.stop()
    return {
      injected: `${frozen} freezes under ${stations} stations, ${ghosts} of others keep a connection there`,
      invariants,
      figures: [
        none('commands over a connection that was no longer the newest', stale),
        none('commands that missed the newest connection', failed),
        atMost('lost connections closed after the thaw', closes.at(1) / 1_000, 1, 's'),
      ],
    }
  },
})
