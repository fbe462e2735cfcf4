import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies } from '../rig.js'
import { atMost, none, row } from '../row.js'

const prefix = 'LEAVE'
/** Whoever runs containers kills after 30 s where nobody says otherwise. */
const endsWithinMs = 30_000

export const leaving = row({
  id: prefix,
  fault: 'processes are told to end while Kafka, Redis or Postgres are silent or out of reach',
  needsOwnServices: true,
  sizes: { small: { stations: 6, times: 1 }, full: { stations: 60, times: 12 } },
  async run(rig, { stations, times }) {
    const { kafka, redis, postgres } = rig.services
    const { system, random } = rig
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const [each, endings, stayed] = [new Latencies(), new Latencies(), [] as string[]]
    const groups = { Kafka: kafka.links, Redis: [redis.link], Postgres: [postgres.link] }
    const names = Object.keys(groups) as (keyof typeof groups)[]
    await fleet.during(async () => {
      for (let index = 0; index < times && !rig.isOver; index += 1) {
        // The first time what kept workers from ending; then one, two or all of them.
        const away = index === 0 ? (['Kafka', 'Postgres'] as const) : random.shuffled(names).slice(random.integer(0, 2))
        const how = random.pick(['stall', 'cut'] as const)
        await sleep(random.integer(500, 2_000))
        nemesis.tell(`${away.join(' and ')}: ${how}`)
        for (const link of away.flatMap((name) => groups[name])) link[how]()
        await sleep(random.integer(500, 3_000))
        const told = [system.gateways[1], ...system.workers].filter((process) => process !== undefined)
        nemesis.tell(`SIGTERM ${told.map(({ name }) => name).join(', ')}`)
        await Promise.all(
          told.map(async ({ name, child, exited }) => {
            child.kill('SIGTERM')
            const gone = exited.then(() => true)
            if (await endings.measure(Promise.race([gone, sleep(endsWithinMs, false, { ref: false })]))) return
            stayed.push(`${name} without ${away.join(' and ')} (${how})`)
            child.kill('SIGKILL')
            await exited
          }),
        )
        for (const link of Object.values(groups).flat()) link.mend()
        await Promise.all([
          nemesis.start('gateways', 1),
          ...system.workers.map((_, worker) => nemesis.start('workers', worker)),
        ])
        await each.measure(Promise.all([fleet.served(), rig.caughtUp()]))
      }
    })
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, { times: each.count, each, goalSeconds: 60 })
    await fleet.stop()
    return {
      injected: `${endings.count} processes, ${each.count} times, under ${stations} stations`,
      invariants,
      figures: [none('processes that stayed', stayed), atMost('slowest to end', endings.at(1) / 1_000, 30, 's')],
    }
  },
})
