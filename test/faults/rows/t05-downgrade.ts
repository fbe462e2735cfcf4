import { type Caller, knock, operatorName, statusOf } from '../../support/doors.js'
import { until } from '../../support/system.js'
import {
  chosenCompression,
  findOldVersions,
  findSuites,
  meantSuites,
  renegotiates,
  resumes,
} from '../../support/tls-probes.js'
import { inParallel, password, type Rig } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'
import { addressOf } from '../upgrade.js'

export const downgrades = row({
  id: 'T5',
  fault: 'old versions of TLS, weak suites, compression, renegotiation, and a lower profile after a higher one',
  sizes: { small: { stations: 4 }, full: { stations: 200 } },
  async run(rig, { stations }) {
    const scanned = await Promise.all(rig.system.secureUrls.map((url) => scan(url, rig.doors.serverRoot.certificate)))
    const climbs = new Climbs(rig)
    const ids = await rig.registerStations('CLIMBS', stations)
    await inParallel(ids.entries(), 4, async ([index, id]) => {
      if (!rig.isOver) await climbs.climb(id, index)
    })
    const gateways = rig.system.secureUrls.length
    return {
      injected: `${gateways} TLS ports with ${scanned[0]?.offered} suites, ${climbs.downgrades} downgrades of ${climbs.stations} stations`,
      figures: [
        exactly('TLS ports', gateways, rig.system.gateways.length),
        none(
          'handshakes that may not be',
          scanned.flatMap(({ findings }) => findings),
        ),
        exactly(
          'suites spoken that are meant to',
          scanned.reduce((sum, { meant }) => sum + meant, 0),
          gateways * meantSuites.length,
        ),
        none('lower profiles let in', climbs.letIn),
        none('higher profiles kept out', climbs.keptOut),
        shown('in the books after, at most', climbs.slowestMs, 'ms'),
      ],
    }
  },
})

async function scan(url: string, ca: string) {
  const port = Number(new URL(url).port)
  const { offered, spoken } = await findSuites(port, ca)
  const compression = await chosenCompression(port)
  const findings = [
    ...(await findOldVersions(port, ca)),
    ...spoken.filter((suite) => !meantSuites.includes(suite)),
    ...(compression === 0 ? [] : [`compression ${compression}`]),
    ...((await renegotiates(port, ca)) ? ['renegotiation'] : []),
    ...((await resumes(port, ca)) ? ['resumption'] : []),
  ]
  return { offered, findings, meant: spoken.filter((suite) => meantSuites.includes(suite)).length }
}

/** Stations that go from profile 1 to 3, at one gateway after the other, and whoever comes below that. */
class Climbs {
  readonly letIn: string[] = []
  readonly keptOut: string[] = []
  stations = 0
  downgrades = 0
  slowestMs = 0
  readonly #rig: Rig

  constructor(rig: Rig) {
    this.#rig = rig
  }

  async climb(id: string, index: number): Promise<void> {
    this.stations += 1
    const { urls, secureUrls } = this.#rig.system
    const [here, there] = [index % urls.length, (index + 1) % urls.length]
    const address = addressOf(index)
    const identity = await this.#rig.doors.stationRoot.issue({ commonName: id, organization: operatorName })
    const comes = (url: string | undefined, caller: Omit<Caller, 'id'>) =>
      statusOf(knock(url ?? '', this.#rig.doors, { id, address, ...caller }))
    const ways = {
      1: (at: number) => comes(urls[at], { password }),
      2: (at: number) => comes(secureUrls[at], { password }),
      3: (at: number) => comes(secureUrls[at], { identity }),
    }
    type Profile = keyof typeof ways
    const mayCome = async (profile: Profile, at: number) => {
      const status = await ways[profile](at)
      if (status !== 101) this.keptOut.push(`${id} with profile ${profile}: ${status}`)
    }
    const mayNotCome = async (profile: Profile, at: number) => {
      this.downgrades += 1
      const status = await ways[profile](at)
      if (status !== 403) this.letIn.push(`${id} with profile ${profile}: ${status}`)
    }
    await mayCome(1, here)
    await mayCome(2, here)
    for (const at of [here, there]) await mayNotCome(1, at)
    await this.#isProven(id, 2)
    await mayCome(2, there)
    await mayCome(3, there)
    for (const at of [there, here]) for (const lower of [1, 2] as const) await mayNotCome(lower, at)
    await this.#isProven(id, 3)
    await mayCome(3, here)
  }

  /** From then on no gateway and no Redis has to remember it. */
  async #isProven(id: string, profile: number): Promise<void> {
    const startedAt = performance.now()
    await until(`profile ${profile} of ${id} in the books`, async () => {
      return (await this.#rig.system.api.get<{ provenProfile: number }>(`/stations/${id}`)).provenProfile === profile
    })
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt)
  }
}
