import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/system.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { none, row, shown } from '../row.js'
import { SmallDisk } from '../services/small-disk.js'

const prefix = 'F16'

/** Room for what the row writes, beside the data that is there: two segments of WAL and a little. */
const roomMegabytes = 64

/** A megabyte that cannot be compressed, so that Postgres has to find room for it. */
const writeMegabyte = `INSERT INTO ballast SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32768)`

async function isRefused(rig: Rig): Promise<boolean> {
  return rig.query(writeMegabyte).then(
    () => false,
    () => true,
  )
}

export const fullDisk = row({
  id: prefix,
  fault: "Postgres' disk is full, then lost: a backup from before takes its place, and the log is read again",
  needsOwnServices: true,
  sizes: { small: { stations: 6, fullSeconds: 2 }, full: { stations: 60, fullSeconds: 600 } },
  async run(rig, { stations, fullSeconds: asked }) {
    // The row's time is for a full disk and for a lost one.
    const fullSeconds = rig.share(asked, 2)
    const { postgres, folder } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    // A backup does not know the commands that the API took after it, and nothing else does.
    const fleet = await Fleet.open(rig, prefix, stations, { commandsPerSecond: 0 })
    const [each, restored, accepted] = [new Latencies(), new Latencies(), [] as string[]]
    await rig.query('CREATE TABLE ballast (text text)')
    const backup = path.join(folder, 'backup')
    await rig.caughtUp()
    await postgres.backUp(backup)
    nemesis.tell('backed up')
    const disk = await SmallDisk.mount(path.join(folder, 'small-disk'), (await postgres.megabytes()) + roomMegabytes)
    await fleet.during(async () => {
      await postgres.moveTo(path.join(disk.folder, 'data'))
      await each.measure(Promise.all([fleet.served(), rig.caughtUp()]))
      nemesis.tell('on a small disk')
      await disk.fill()
      await until('Postgres finds no room', () => isRefused(rig), 60_000)
      nemesis.tell('its disk is full')
      await sleep(fullSeconds * 1_000)
      if (!(await isRefused(rig))) accepted.push('Postgres had room')
      await disk.free()
      await postgres.primary.start()
      nemesis.tell('its disk has room')
      await each.measure(Promise.all([fleet.served(), rig.caughtUp()]))
      nemesis.tell('its disk is lost')
      await restored.measure(postgres.restore(backup).then(() => Promise.all([fleet.served(), rig.caughtUp()])))
      nemesis.tell('as before, out of the backup')
      await disk.unmount()
      await postgres.addStandby()
    })
    await fleet.settled()
    const recoveries = { times: 2, each, goalSeconds: 120 }
    const invariants = await checkInvariants(rig, { ...fleet, losesCommits: true }, recoveries)
    const dead = await rig.query<{ error: string }>('SELECT error FROM dead_letter')
    await fleet.stop()
    return {
      injected: `full for ${fullSeconds} s, lost once, under ${stations} stations`,
      invariants,
      figures: [
        none('writes taken while it was full', accepted),
        none(
          'messages taken for broken',
          dead.map(({ error }) => error),
        ),
        shown('back out of the backup after', restored.at(1) / 1_000, 's'),
      ],
    }
  },
})
