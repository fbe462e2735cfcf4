import { inParallel, password, result, token } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'
import { tryTarget } from '../upgrade.js'

const [thief, victim] = ['TRICK-0000', 'TRICK-0001']

/** Ways to write a name so that one reader takes it for another. */
const spellings: ((id: string) => string)[] = [
  (id) => id,
  (id) => `../${id}`,
  (id) => `..%2f${id}`,
  (id) => `%2e%2e/${id}`,
  (id) => `%2e%2e%2f${id}`,
  (id) => `./${id}`,
  (id) => `${id}%00`,
  (id) => `%00${id}`,
  (id) => `${id}%0a`,
  (id) => `${id}%0d%0aX:%20y`,
  (id) => `${id}%2f`,
  (id) => `%252e%252e%252f${id}`,
  (id) => `${id}%2500`,
  (id) => `${id};x=1`,
  (id) => `${id}?x=1`,
  (id) => `${id}%3fx=1`,
  (id) => `${id}%23`,
  (id) => `${id}:`,
  (id) => `${id}*`,
  (id) => `${id}%20`,
  (id) => `%20${id}`,
  (id) => `${id}%5c`,
  (id) => `${id}%`,
  (id) => `${id}%zz`,
  (id) => id.toLowerCase(),
  (id) => id.replace('I', '%c4%b0'),
  (id) => id.replace('T', '%ef%bc%b4'),
  (id) => `${id}%ef%bb%bf`,
  (id) => `${id}%cc%81`,
  (id) => id.padEnd(49, 'x'),
  (id) => encodeURIComponent(id).replace('-', '%2d'),
]

const joins: ((own: string, other: string) => string)[] = [
  (_own, other) => `/ocpp/${other}`,
  (own, other) => `/ocpp/${own}/${other}`,
  (own, other) => `/ocpp/${own}%2f${other}`,
  (own, other) => `/ocpp/${own},${other}`,
  (own, other) => `//${own}//${other}`,
  (own, other) => `/ocpp/${other}/../${own}`,
  (own, other) => `http://x/ocpp/${own}/${other}`,
  (own, other) => `/ocpp/${own}%0a${other}`,
]

/** Credentials of the thief, as itself and under the victim's name. */
const names = [thief, victim, `${thief}:${victim}`] as const

const victimPassword = `${password.slice(0, -1)}1`

const requests = joins.flatMap((join) =>
  spellings.flatMap((spell) => names.map((id) => ({ target: join(thief, spell(victim)), id }))),
)

export const idTricks = row({
  id: 'T11',
  fault: "paths that one reader takes for a station's own and another for somebody else's",
  sizes: { small: { cases: 500 }, full: { cases: requests.length } },
  async run(rig, { cases }) {
    await rig.registerStations('TRICK', 1)
    // With a password of its own: the thief's opens nothing there.
    await rig.system.api.registerStation(victim, victimPassword)
    const tried = rig.random.shuffled(requests).slice(0, cases)
    const owner = await rig.connect(victim, 0, { password: victimPassword })
    let commanded = 0
    owner.on('ClearCache', () => {
      commanded += 1
      return { status: 'Accepted' }
    })
    const statuses = new Map<number, number>()
    const broken: string[] = []
    let letIn = 0
    await inParallel(tried.entries(), 10, async ([index, { target, id }]) => {
      const { port } = rig.system.gateways[index % rig.system.gateways.length] ?? { port: 0 }
      try {
        const { status } = await tryTarget(port, target, { id, secret: password }, `10.9.${index >> 8}.${index & 255}`)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === 101) letIn += 1
        if (status >= 500) broken.push(`${target}: ${status}`)
      } catch (cause) {
        broken.push(`${target}: ${String(cause)}`)
      }
    })
    const { status } = await rig.command(victim, 'ClearCache', {}, { wait: 10 })
    const isUndisturbed = owner.isOpen && status === 'accepted' && commanded === 1
    owner.close()
    await rig.drained()
    const reached = await rig.query<{ id: string }>(
      'SELECT station_id AS id FROM station_state WHERE station_id <> ALL($1) AND station_id LIKE ANY($2)',
      [
        [thief, victim],
        ['%TRICK%', '%trick%'],
      ],
    )
    const own = await rig.connect(thief)
    const { idTagInfo } = result(await own.call('Authorize', { idTag: token })) as { idTagInfo: { status: string } }
    own.close()
    return {
      injected: `${tried.length} requests with the credentials of another station`,
      figures: [
        none(
          'other stations reached',
          reached.map(({ id }) => id),
        ),
        none('requests without a clear answer', broken),
        exactly('the other station is commanded, over its own connection', isUndisturbed ? 1 : 0, 1),
        exactly('gateway alive', idTagInfo.status === 'Accepted' ? 1 : 0, 1),
        shown('let in as itself', letIn),
        shown('answers', [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')),
      ],
    }
  },
})
