import { once } from 'node:events'
import { type CertificateDraft, type Identity, TestAuthority } from '../../support/certificates.js'
import { knock, letIn, operatorName, statusOf } from '../../support/doors.js'
import { until } from '../../support/system.js'
import { Latencies, type Rig } from '../rig.js'
import { atMost, exactly, none, row } from '../row.js'

const dayMs = 86_400_000

/** By the reason that the operator is told. */
const wrongOnes: Record<string, (draft: CertificateDraft, rig: Rig) => Promise<Identity>> = {
  // Of the same name as the right one, so that only the signature tells.
  'certificate-untrusted': async (draft) => (await TestAuthority.create('Lab Station Root')).issue(draft),
  'certificate-expired': (draft, { doors }) =>
    doors.stationRoot.issue({ ...draft, notAfter: new Date(Date.now() - dayMs) }),
  'certificate-serial': (draft, { doors }) => doors.stationRoot.issue({ ...draft, commonName: 'SN-OF-ANOTHER' }),
  'certificate-operator': (draft, { doors }) => doors.stationRoot.issue({ ...draft, organization: 'Somebody else' }),
}
const revoked = 'certificate-revoked'

/** Longer than is allowed, so that a slow one is told as a figure. */
const patienceMs = 90_000

export const wrongCertificates = row({
  id: 'T6',
  fault: 'certificates of an unknown CA, expired, of another CN, of another O, and revoked ones, connected and not',
  sizes: { small: { rounds: 1 }, full: { rounds: 10 } },
  async run(rig, { rounds }) {
    const gateways = [...rig.system.secureUrls.keys()]
    const attempts = new Attempts(rig)
    for (let round = 0; round < rounds && !rig.isOver; round += 1) {
      // One a gateway: each shall have somebody connected when the certificate is revoked.
      await Promise.all(gateways.map((at) => attempts.ofStation(`CERTIFIED-${round}-${at}`, at)))
    }
    return {
      injected: `${attempts.tried} wrong certificates at ${gateways.length} gateways, ${attempts.closing.count} revoked while connected`,
      figures: [
        exactly('kinds refused', attempts.refused.size, Object.keys(wrongOnes).length + 1),
        none('wrong ones let in', attempts.letIn),
        none('right ones kept out', attempts.keptOut),
        none('reasons that the operator is not told by each gateway', attempts.untold),
        none('revoked and connected, not closed for it', attempts.otherCloses),
        atMost('slowest close of a revoked one', attempts.closing.at(1) / 1_000, 60, 's'),
        atMost('slowest gateway to refuse it', attempts.refusing.at(1) / 1_000, 60, 's'),
      ],
    }
  },
})

class Attempts {
  readonly letIn: string[] = []
  readonly keptOut: string[] = []
  readonly untold: string[] = []
  readonly otherCloses: string[] = []
  readonly refused = new Set<string>()
  readonly closing = new Latencies()
  readonly refusing = new Latencies()
  tried = 0
  readonly #rig: Rig

  constructor(rig: Rig) {
    this.#rig = rig
  }

  /** @param home the gateway at which it is connected when its certificate is revoked */
  async ofStation(id: string, home: number): Promise<void> {
    const { api, secureUrls } = this.#rig.system
    const { doors } = this.#rig
    const draft = { commonName: `SN-${id}`, organization: operatorName }
    await api.expect('POST', '/stations', { id, securityProfile: 3, serialNumber: draft.commonName })
    const knocks = (at: number, identity: Identity) =>
      knock(secureUrls[at] ?? '', doors, { id, identity, address: `10.6.${home}.${this.tried % 256}` })
    const isRefused = async (identity: Identity, reason: string) => {
      for (const at of secureUrls.keys()) {
        this.tried += 1
        const status = await statusOf(knocks(at, identity))
        if (status === 403) this.refused.add(reason)
        else this.letIn.push(`${reason} at gateway ${at}: ${status}`)
      }
      const told = await this.#toldBy(id, reason)
      if (told !== secureUrls.length) this.untold.push(`${reason} of ${id}: ${told} gateways`)
    }
    const mayCome = async () => {
      const identity = await doors.stationRoot.issue(draft)
      for (const at of secureUrls.keys()) {
        const status = await statusOf(knocks(at, identity))
        if (status !== 101) this.keptOut.push(`${id} at gateway ${at}: ${status}`)
      }
    }

    for (const [reason, make] of Object.entries(wrongOnes)) await isRefused(await make(draft, this.#rig), reason)
    await mayCome()

    const identity = await doors.stationRoot.issue(draft)
    const socket = await letIn(knocks(home, identity))
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(patienceMs) })
    await api.expect('POST', '/revoked-certificates', { certificate: identity.certificate, stationId: id })
    const refusedEverywhere = closed.then(async ([code]) => {
      if (code !== 1008) this.otherCloses.push(`${id}: ${code}`)
      for (const at of secureUrls.keys()) {
        const isShut = async () => (await statusOf(knocks(at, identity))) === 403
        await until(`gateway ${at} refuses what was revoked`, isShut, patienceMs)
      }
    })
    await Promise.all([this.closing.measure(closed), this.refusing.measure(refusedEverywhere)])
    await isRefused(identity, revoked)
    await mayCome()
  }

  /** @returns how many gateways name this as the reason of the station's last attempt */
  async #toldBy(id: string, reason: string): Promise<number> {
    const { items } = await this.#rig.system.api.get<{
      items: { stationId: string | null; reason: string; gateways: string[] }[]
    }>('/refused-attempts')
    return items.find((each) => each.stationId === id && each.reason === reason)?.gateways.length ?? 0
  }
}
