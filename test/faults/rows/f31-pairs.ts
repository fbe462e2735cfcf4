import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import type { Injection } from '../injections.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { exactly, row } from '../row.js'

const prefix = 'F31'

/** By the row of the list that has it alone; which process or broker, and how, is drawn each time. */
const faults: Record<string, (rig: Rig, nemesis: Nemesis) => Injection> = {
  F7(_rig, nemesis) {
    const index = nemesis.pick('gateways')
    return {
      name: `gateway ${index} killed`,
      inject: () => nemesis.kill('gateways', index),
      heal: () => nemesis.start('gateways', index),
    }
  },
  F8(_rig, nemesis) {
    const index = nemesis.pick('gateways')
    return {
      name: `gateway ${index} frozen`,
      inject: () => nemesis.freeze('gateways', index),
      heal: () => nemesis.thaw('gateways', index),
    }
  },
  F12(_rig, nemesis) {
    const index = nemesis.pick('workers')
    return {
      name: `worker ${index} killed`,
      inject: () => nemesis.kill('workers', index),
      heal: () => nemesis.start('workers', index),
    }
  },
  F14({ random, services: { postgres } }) {
    const { primary, link } = postgres
    return random.pick<Injection>([
      { name: 'Postgres killed', inject: () => primary.kill(), heal: () => primary.start() },
      { name: 'Postgres silent', inject: () => link.stall(), heal: () => link.mend() },
    ])
  },
  F18({ random, services: { redis } }) {
    return random.pick<Injection>([
      { name: 'Redis killed', inject: () => redis.server.kill(), heal: () => redis.server.start() },
      { name: 'Redis emptied', inject: () => redis.flush() },
      { name: 'Redis silent', inject: () => redis.link.stall(), heal: () => redis.link.mend() },
    ])
  },
  F20({ random, services: { kafka } }) {
    const broker = random.pick(kafka.brokers)
    return random.pick<Injection>([
      { name: `${broker.name} killed`, inject: () => broker.kill(), heal: () => broker.start() },
      { name: `${broker.name} frozen`, inject: () => broker.freeze(), heal: () => broker.thaw() },
    ])
  },
  cut({ random, services: { kafka, redis, postgres } }) {
    const user = random.pick(['gateway 0', 'gateway 1', 'worker 0', 'worker 1', 'api'])
    const links = [...kafka.links, redis.link, postgres.link]
    return {
      name: `${user} cut off from Kafka, Redis and Postgres`,
      inject: () => {
        for (const link of links) link.cut(user)
      },
      heal: () => {
        for (const link of links) link.mend()
      },
    }
  },
}

/** Healed by a new process. */
const killed = new Set(['F7', 'F12'])

const kinds = Object.keys(faults)
const pairs = kinds.flatMap((one, index) => kinds.slice(index + 1).map((other) => [one, other] as const))

export const twoFaults = row({
  id: prefix,
  fault: 'two faults at once: each pair of F7, F8, F12, F14, F18, F20 and a cut network',
  needsOwnServices: true,
  // Each pair has its first turn whatever the clock says.
  sizes: { small: { stations: 9, pairs: 1, seconds: 4 }, full: { stations: 60, pairs: 500, seconds: 12 } },
  async run(rig, { stations, pairs: wanted, seconds }) {
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const each = new Latencies()
    const played = new Set<string>()
    const { random } = rig
    await fleet.during(async () => {
      let order: typeof pairs = []
      for (let index = 0; index < wanted && (index < pairs.length || !rig.isOver); index += 1) {
        if (order.length === 0) order = random.shuffled(pairs)
        const names = order.pop() ?? []
        const both = new Map(random.shuffled(names).map((name) => [name, faults[name]?.(rig, nemesis) as Injection]))
        await sleep(random.integer(200, 1_500))
        for (const fault of both.values()) {
          nemesis.tell(fault.name)
          await fault.inject()
          await sleep(random.integer(0, (seconds * 1_000) / 2))
        }
        // A process of ours does not start without the services it needs: they come first.
        const shuffled = random.shuffled(names)
        const heal = (name: string) => both.get(name)?.heal?.()
        await Promise.all(shuffled.filter((name) => !killed.has(name)).map(heal))
        await Promise.all(shuffled.filter((name) => killed.has(name)).map(heal))
        nemesis.tell(`no more: ${names.join(' and ')}`)
        await each.measure(Promise.all([fleet.served(), rig.caughtUp()]))
        played.add(names.join(' and '))
      }
    })
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, { times: 2 * each.count, each, goalSeconds: 60 })
    await fleet.stop()
    return {
      injected: `${each.count} times two of ${kinds.length} faults under ${stations} stations`,
      invariants,
      figures: [exactly('different pairs', played.size, Math.min(wanted, pairs.length))],
    }
  },
})
