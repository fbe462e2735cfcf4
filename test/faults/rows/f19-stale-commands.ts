import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet, markOf } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies } from '../rig.js'
import { exactly, none, row } from '../row.js'

const prefix = 'F19'
/** The clocks of our processes are one; a command that is written in its last moment is seen a little later. */
const toleranceMs = 100

export const staleCommands = row({
  id: prefix,
  fault: 'Redis falls silent with commands on their way, and comes back when they have expired',
  needsOwnServices: true,
  sizes: { small: { stations: 6, times: 2, commands: 20 }, full: { stations: 60, times: 40, commands: 200 } },
  async run(rig, { stations, times, commands }) {
    const { redis } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations, { commandsPerSecond: 0 })
    const [each, expiresInSeconds] = [new Latencies(), 2]
    let sent = 0
    for (let index = 0; index < times && !rig.isOver; index += 1) {
      const asked: Promise<unknown>[] = []
      const stallAt = rig.random.integer(0, commands - 1)
      for (let count = 0; count < commands; count += 1) {
        if (count === stallAt) {
          nemesis.tell('Redis is silent')
          // On the way to it, or from it to the gateways.
          redis.link.stall(rig.random.pick(['gateway', 'worker', '']))
        }
        const { id } = rig.random.pick(fleet.stations)
        const wish = {
          action: 'DataTransfer',
          payload: { vendorId: 'busbar.faults', data: `${prefix} ${sent++}` },
          expiresInSeconds,
        }
        asked.push(
          rig.system.api
            .request<{ id: string }>('POST', `/stations/${id}/commands`, wish)
            .then(({ status, body }) => status < 300 && fleet.commands.push(body.id)),
        )
        await sleep(10)
      }
      await Promise.all(asked)
      await sleep(expiresInSeconds * 1_000 + 200)
      nemesis.tell('Redis is back')
      redis.link.mend()
      await each.measure(fleet.served())
    }
    const invariants = await checkInvariants(rig, fleet, { times: each.count, each, goalSeconds: 30 })
    const booked = await rig.query<{ mark: string; expires: Date }>(
      "SELECT payload->>'data' AS mark, expires_at AS expires FROM command WHERE station_id LIKE $1",
      [`${prefix}-%`],
    )
    const expiries = new Map(booked.map(({ mark, expires }) => [mark, expires.getTime()]))
    const stale = fleet.stations.flatMap(({ id, ledger }) =>
      ledger.commands
        .filter(({ at, payload }) => at.getTime() > (expiries.get(markOf(payload)) ?? 0) + toleranceMs)
        .map(({ at, payload }) => `${id} ${markOf(payload)} at ${at.toISOString()}`),
    )
    await fleet.stop()
    return {
      injected: `${each.count} silences, ${sent} commands to ${stations} stations`,
      invariants,
      figures: [
        none('executed after their expiry', stale),
        exactly('commands kept', booked.length, fleet.commands.length),
      ],
    }
  },
})
