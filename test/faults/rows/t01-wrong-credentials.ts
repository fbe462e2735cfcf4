import { readLogEnds } from '../../support/log-ends.js'
import { readTopic } from '../../support/topics.js'
import { inParallel, password } from '../rig.js'
import { exactly, none, row } from '../row.js'
import { addressOf, tryUpgrade } from '../upgrade.js'

/** Below the throttle, which would answer 429. */
const triesPerAddress = 25

const secrets = [
  null,
  '',
  'wrong',
  `${password}0`,
  password.slice(0, -1),
  password.replaceAll('0', 'O'),
  '\u0000',
  'x'.repeat(4_000),
]

export const wrongCredentials = row({
  id: 'T1',
  fault: 'a known id with no or wrong credentials',
  sizes: { small: { tries: 200 }, full: { tries: 10_000 } },
  async run(rig, { tries }) {
    const [id = ''] = await rig.registerStations('SECRET', 1)
    await rig.drained()
    const before = await readLogEnds(rig.system)
    const [otherAnswers, bodies]: [string[], Set<string>] = [[], new Set()]
    let tried = 0
    await inParallel(Array(tries).keys(), 20, async (index) => {
      if (rig.isOver) return
      tried += 1
      const secret = secrets[index % secrets.length] ?? null
      const { port } = rig.system.gateways[index % rig.system.gateways.length] ?? { port: 0 }
      const { status, body } = await tryUpgrade(port, id, secret, addressOf(Math.floor(index / triesPerAddress)))
      bodies.add(body)
      if (status !== 401) otherAnswers.push(`${secret}: ${status}`)
    })
    const traces = await rig.query('SELECT * FROM station_state WHERE station_id = $1', [id])
    const after = await readLogEnds(rig.system)
    const grown = [...after]
      .filter(([place, end]) => end !== before.get(place))
      .map(([place]) => place.split('/')[0] ?? '')
    // A worker asks the gateways now and then whom they refused: that raises one alert, however many the tries.
    const topics = [...new Set(grown)].filter((topic) => !topic.endsWith('.ocpp.notifications'))
    const records = (await Promise.all(topics.map((topic) => readTopic(rig.system, topic))))
      .flat()
      .filter(({ key }) => key === id)
      .map(({ value }) => String(value))
    const alerts = records.filter((value) => value.includes('"busbar.alert.raised.v1"'))
    return {
      injected: `${tried} tries`,
      figures: [
        none('answers other than 401', otherAnswers),
        exactly('bodies', bodies.size, 1),
        none(
          'traces of a connection',
          traces.map((each) => JSON.stringify(each)),
        ),
        none(
          'records of it in the log',
          records.filter((value) => !alerts.includes(value)),
        ),
        none('alerts after the first', alerts.slice(1)),
      ],
    }
  },
})
