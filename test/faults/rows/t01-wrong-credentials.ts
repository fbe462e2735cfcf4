import { readLogEnds } from '../../support/log-ends.js'
import { readTopic } from '../../support/topics.js'
import { inParallel, password } from '../rig.js'
import { exactly, none, row } from '../row.js'
import { addressOf, tryUpgrade } from '../upgrade.js'

/** How often a worker asks the gateways whom they refused. */
const watchMs = 30_000

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
    const startedAt = performance.now()
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
    const records = (await Promise.all([...new Set(grown)].map((topic) => readTopic(rig.system, topic))))
      .flat()
      .filter(({ key }) => key === id)
    // Of a registered station each worker says now and then that it was refused; that raises one alert, however many the tries.
    const watched = records.filter(({ headers }) => headers.type === 'refused-upgrades')
    const looks = rig.system.workers.length * (1 + Math.floor((performance.now() - startedAt) / watchMs))
    const alerts = records.filter(({ value }) => value.includes('"busbar.alert.raised.v1"'))
    const texts = (some: typeof records) => some.map(({ value }) => String(value))
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
          texts(records.filter((each) => !watched.includes(each) && !alerts.includes(each))),
        ),
        none('records that it was refused, beyond one in 30 s of each worker', texts(watched.slice(looks))),
        none('alerts after the first', texts(alerts.slice(1))),
      ],
    }
  },
})
