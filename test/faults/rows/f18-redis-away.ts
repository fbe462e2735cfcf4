import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/system.js'
import { Fleet } from '../fleet.js'
import { type Injection, playInjections, secondsAway } from '../injections.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { inParallel, Latencies, type Rig, token } from '../rig.js'
import { atMost, exactly, none, row, shown } from '../row.js'

const prefix = 'F18'

/** Commands by hand while Redis is away: each is known to have failed within a second. */
async function commandWithout(rig: Rig, id: string, latencies: Latencies, wrong: string[]): Promise<void> {
  for (let asked = 0; asked < 3; asked += 1) {
    const sent = rig.system.api.request<{ status: string }>('POST', `/stations/${id}/commands?wait=20`, {
      action: 'ClearCache',
      payload: {},
    })
    const { status, body } = await latencies.measure(sent)
    if (['accepted', 'rejected'].includes(body.status)) wrong.push(`${status} ${JSON.stringify(body)}`)
  }
}

/** Reservations that fall due while it is away. */
async function reserve(rig: Rig, ids: readonly string[], seconds: number): Promise<void> {
  const expiresAt = new Date(Date.now() + seconds * 1_000).toISOString()
  await inParallel(ids, 10, async (id) => {
    const socket = await rig.connect(id)
    socket.on('ReserveNow', () => ({ status: 'Accepted' }))
    await rig.system.api.expect('POST', `/stations/${id}/reservations?wait=20`, { connector: 1, token, expiresAt })
  })
}

export const redisAway = row({
  id: prefix,
  fault: 'Redis is killed, loses all it holds, is out of reach, and silent, while stations charge',
  needsOwnServices: true,
  sizes: {
    small: { stations: 9, times: 1, awaySeconds: 5, reservations: 3 },
    full: { stations: 60, times: 4, awaySeconds: 600, reservations: 50 },
  },
  async run(rig, { stations, times, awaySeconds, reservations }) {
    const { redis } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const ids = await rig.registerStations('F18-RESERVED', reservations)
    const [verdicts, presence, wrong]: [Latencies, Latencies, string[]] = [new Latencies(), new Latencies(), []]
    const injections: Injection[] = [
      { name: 'Redis is killed', inject: () => redis.server.kill(), heal: () => redis.server.start() },
      { name: 'Redis loses all it holds', inject: () => redis.flush() },
      { name: 'Redis is out of reach', inject: () => redis.link.cut(), heal: () => redis.link.mend() },
      { name: 'Redis is silent', inject: () => redis.link.stall(), heal: () => redis.link.mend() },
    ]
    await reserve(rig, ids, secondsAway(rig, awaySeconds, injections))
    const reachable = async (id: string) => {
      const path = `/stations/${id}/commands?wait=3`
      const { body } = await rig.system.api.request<{ status: string }>('POST', path, {
        action: 'ClearCache',
        payload: {},
      })
      return body.status === 'accepted'
    }
    const present = () =>
      inParallel(fleet.stations, 20, ({ id }) => until(`${id} is commanded`, () => reachable(id), 120_000))
    const recoveries = await fleet.during(() =>
      playInjections(fleet, nemesis, { times, awaySeconds, goalSeconds: 30 }, injections, {
        async meanwhile() {
          await sleep(200)
          await commandWithout(rig, ids[0] ?? '', verdicts, wrong)
        },
        afterwards: () => presence.measure(present()),
      }),
    )
    await fleet.settled()
    const expired = async () =>
      (await rig.query("SELECT FROM reservation WHERE station_id LIKE 'F18-RESERVED-%' AND state = 'expired'")).length
    await until('the reservations have expired', async () => (await expired()) === reservations, 60_000).catch(() => {})
    const invariants = await checkInvariants(rig, fleet, recoveries)
    await fleet.stop()
    return {
      injected: `${recoveries.times} times, ${recoveries.awaySeconds} s where it stays away, under ${stations} stations`,
      invariants,
      figures: [
        none('commands that went through without it', wrong),
        ...(verdicts.count > 0 ? [atMost('slowest failure of a command', verdicts.at(1) / 1_000, 1, 's')] : []),
        atMost('presence right after', presence.at(1) / 1_000, 30, 's'),
        exactly('reservations that expired meanwhile', await expired(), reservations),
        shown('commands tried without it', verdicts.count),
      ],
    }
  },
})
