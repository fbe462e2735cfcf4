import { Fleet } from '../fleet.js'
import { playInjections } from '../injections.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { result } from '../rig.js'
import { none, row, shown } from '../row.js'

const prefix = 'F14'

export const postgresStopped = row({
  id: prefix,
  fault: 'Postgres is killed, out of reach, and silent, while stations charge',
  needsOwnServices: true,
  sizes: {
    small: { stations: 9, times: 1, awaySeconds: 5 },
    full: { stations: 60, times: 3, awaySeconds: 600 },
  },
  async run(rig, { stations, times, awaySeconds }) {
    const { postgres } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const [id = ''] = await rig.registerStations('F14-KNOWN', 1)
    // Once to boot, once to be known as accepted.
    for (const socket of [await rig.connect(id), await rig.connect(id)]) socket.close()
    const wrongWithout: string[] = []
    const recoveries = await fleet.during(() =>
      playInjections(
        fleet,
        nemesis,
        { times, awaySeconds, goalSeconds: 120 },
        [
          { name: 'Postgres is killed', inject: () => postgres.primary.kill(), heal: () => postgres.primary.start() },
          { name: 'Postgres is out of reach', inject: () => postgres.link.cut(), heal: () => postgres.link.mend() },
          { name: 'Postgres is silent', inject: () => postgres.link.stall(), heal: () => postgres.link.mend() },
        ],
        {
          async meanwhile({ name }) {
            const { status } = await rig.system.api.request('GET', '/stations')
            if (status !== 503) wrongWithout.push(`${name}: the API answers ${status}`)
            const again = await rig.open(id).catch((cause: Error) => cause)
            if (again instanceof Error) wrongWithout.push(`${name}: a known station is kept out: ${again}`)
            else {
              const at = {
                timestamp: new Date().toISOString(),
                sampledValue: [{ value: '1', measurand: 'Temperature' }],
              }
              await again.call('MeterValues', { connectorId: 0, meterValue: [at] }).then(result)
              again.close()
            }
          },
        },
      ),
    )
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, recoveries)
    const dead = await rig.query<{ error: string }>('SELECT error FROM dead_letter')
    const closes = fleet.stations.flatMap(({ ledger }) => ledger.calls.filter(({ outcome }) => outcome === 'no-answer'))
    await fleet.stop()
    return {
      injected: `${recoveries.times} times ${recoveries.awaySeconds} s under ${stations} stations`,
      invariants,
      figures: [
        none(
          'messages taken for broken',
          dead.map(({ error }) => error),
        ),
        none('API and gateways without it, otherwise than promised', wrongWithout),
        shown('calls left without an answer, none of a transaction', closes.length),
      ],
    }
  },
})
