import { Latencies } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'
import { addressOf, tryUpgrade } from '../upgrade.js'

/** An unknown id is told so (404), as OCPP-J asks and operators need; only the time may not tell more than that. */
export const idEnumeration = row({
  id: 'T4',
  fault: 'unknown ids and wrong passwords, in turn',
  sizes: { small: { tries: 200 }, full: { tries: 10_000 } },
  async run(rig, { tries }) {
    const [known = ''] = await rig.registerStations('ENUM', 1)
    const { port } = rig.system.gateways[0] ?? { port: 0 }
    const [unknown, wrong] = [new Latencies(), new Latencies()]
    const otherAnswers: string[] = []
    for (let index = 0; index < tries && !rig.isOver; index += 1) {
      const address = addressOf(index)
      const first = await unknown.measure(tryUpgrade(port, `ENUM-NONE-${index}`, 'wrong', address))
      const second = await wrong.measure(tryUpgrade(port, known, 'wrong', address))
      if (first.status !== 404 || second.status !== 401) otherAnswers.push(`${first.status}, ${second.status}`)
    }
    return {
      injected: `${unknown.count} of each`,
      figures: [
        none('answers other than 404 and 401', otherAnswers),
        atMost('p50 apart', Math.abs(unknown.at(0.5) - wrong.at(0.5)), 1, 'ms'),
        shown('p50 unknown', unknown.at(0.5), 'ms'),
        shown('p50 wrong password', wrong.at(0.5), 'ms'),
      ],
    }
  },
})
