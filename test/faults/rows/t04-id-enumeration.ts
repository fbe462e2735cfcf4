import { Latencies } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'
import { addressOf, tryUpgrade } from '../upgrade.js'

/**
 * An unknown id is told so (404), as OCPP-J asks and operators need; the time may not tell more than that. It does for a
 * password from elsewhere, which is checked with scrypt: it tells that there is one, and the status told that already.
 */
export const idEnumeration = row({
  id: 'T4',
  fault: 'unknown ids and wrong passwords, in turn',
  sizes: { small: { tries: 200 }, full: { tries: 10_000 } },
  async run(rig, { tries }) {
    const [given = ''] = await rig.registerStations('ENUM', 1)
    const made = 'ENUM-MADE'
    await rig.system.api.expect('POST', '/stations', { id: made })
    const { port } = rig.system.gateways[0] ?? { port: 0 }
    const [unknown, wrong, foreign] = [new Latencies(), new Latencies(), new Latencies()]
    const otherAnswers: string[] = []
    for (let index = 0; index < tries && !rig.isOver; index += 1) {
      const address = addressOf(index)
      const statuses = [
        await unknown.measure(tryUpgrade(port, `ENUM-NONE-${index}`, 'wrong', address)),
        await wrong.measure(tryUpgrade(port, made, 'wrong', address)),
        // A tenth of them: scrypt is dear.
        ...(index % 10 === 0 ? [await foreign.measure(tryUpgrade(port, given, 'wrong', address))] : []),
      ].map(({ status }) => status)
      if (statuses.some((status, at) => status !== (at === 0 ? 404 : 401))) otherAnswers.push(statuses.join(', '))
    }
    return {
      injected: `${unknown.count} of each`,
      figures: [
        none('answers other than 404 and 401', otherAnswers),
        atMost('p50 apart', Math.abs(unknown.at(0.5) - wrong.at(0.5)), 1, 'ms'),
        shown('p50 unknown', unknown.at(0.5), 'ms'),
        shown('p50 wrong password', wrong.at(0.5), 'ms'),
        shown('p50 wrong password where the right one was not made by Busbar', foreign.at(0.5), 'ms'),
      ],
    }
  },
})
