import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '@busbar/store'
import { pino } from 'pino'
import { migrations as ours } from '../../../packages/store/src/generated/migrations.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, Neighbours, type Rig } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'

const [prefix, askingPrefix] = ['UPDATE', 'UPDATED']

/** Of a later version: one more column, with a default and an index, and the last version's, which nobody knows any more, goes. */
const migrationOf = (version: number) => ({
  name: `99990101${String(version).padStart(6, '0')}_version`,
  sql: `ALTER TABLE charging_transaction ADD COLUMN version_${version} TEXT NOT NULL DEFAULT 'new';
        CREATE INDEX ON charging_transaction (station_id) WHERE version_${version} = 'old';
        ALTER TABLE charging_transaction DROP COLUMN IF EXISTS version_${version - 1};`,
})

async function migrateTo(rig: Rig, version: number): Promise<void> {
  const later = Array.from({ length: version }, (_, index) => migrationOf(index + 1))
  const { connectionString = '' } = rig.system.database.options
  await migrate(connectionString, pino({ level: 'silent' }), { migrations: [...ours, ...later] })
}

export const workerDeploys = row({
  id: 'F25',
  fault: 'the database is migrated under workers of before, which are then replaced one after the other',
  needsProcesses: true,
  sizes: { small: { stations: 10, asking: 10, times: 1 }, full: { stations: 60, asking: 30, times: 20 } },
  async run(rig, { stations, asking, times }) {
    const nemesis = new Nemesis(rig, 'F25')
    const fleet = await Fleet.open(rig, prefix, stations)
    const neighbours = await Neighbours.open(rig, askingPrefix, asking)
    const [recoveries, migrations] = [new Latencies(), new Latencies()]
    let version = 0

    async function deploy(): Promise<void> {
      version += 1
      nemesis.tell(`migrate to version ${version}`)
      await migrations.measure(migrateTo(rig, version))
      for (const index of rig.system.workers.keys()) {
        await sleep(rig.random.integer(500, 1_500))
        await nemesis.end('workers', index)
        await recoveries.measure(fleet.served())
        await nemesis.start('workers', index)
      }
    }
    async function deployAll(): Promise<void> {
      while (version < times && !rig.isOver) await deploy()
    }

    const waits = await fleet.during(() => neighbours.during(deployAll()))
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, { times: version, each: recoveries, goalSeconds: 30 })
    const letters = await rig.query<{ error: string }>('SELECT error FROM dead_letter WHERE station_id LIKE ANY($1)', [
      [`${prefix}-%`, `${askingPrefix}-%`],
    ])
    neighbours.close()
    await fleet.stop()
    return {
      injected: `${version} deploys of ${rig.system.workers.length} workers under ${stations + asking} stations`,
      invariants,
      figures: [
        none('neighbours refused', neighbours.troubles),
        none(
          'dead letters',
          letters.map(({ error }) => error),
        ),
        atMost('longest wait of a neighbour', waits.at(1) / 1_000, 30, 's'),
        shown('waits, p99', waits.at(0.99), 'ms'),
        shown('migrations, at most', migrations.at(1) / 1_000, 's'),
      ],
    }
  },
})
