import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import type { CertificateDraft, TestAuthority } from '../../support/certificates.js'
import { type Doors, operatorName, serverName } from '../../support/doors.js'
import type { System } from '../../support/system.js'
import type { Exchange } from '../strict-station.js'
import { type Case, Lab } from './lab.js'

/** Who comes to which door with what. */
export interface Identity {
  url: string
  id: string
  password?: string | Buffer
  tls?: ConnectionOptions
}

/** Cards, as a certification asks for them. */
const cards = {
  valid: { value: 'VALID-0001' },
  expired: { value: 'EXPIRED-0001', expiresAt: '2020-01-01T00:00:00Z' },
  blocked: { value: 'BLOCKED-0001', status: 'blocked' },
  parent: { value: 'PARENT-0001', groupId: 'FAMILY' },
  sibling: { value: 'SIBLING-0001', groupId: 'FAMILY' },
  /** For a transaction that is found by its card: no other case leaves one of it open. */
  lone: { value: 'LONE-0001' },
  single: { value: 'SINGLE-0001', maxTransactions: 1, groupId: 'FAMILY', expiresAt: '2099-12-31T23:59:59Z' },
}
export const unknownCard = 'NOBODY-0001'
export const family = 'FAMILY'

export const newPassword = () => randomBytes(20).toString('hex')

/** After the last step nothing more may come for so long. */
const isFull = process.env.CONFORMANCE_FULL === '1'
const silenceMs = isFull ? 5_000 : 1_000

/** What was made for a station before the first case, and what its cases left of it. */
type Serial = Identity & { serialNumber: string }

/**
 * A running system with the one station that plays all its cases, one after the other: nothing is restarted, cleaned up or
 * switched between them. Cases of security profiles 2 and 3 have a station each, because no message of OCPP leads back.
 */
export class Bench {
  readonly system: System
  readonly doors: Doors
  /** The station, of profile 1; its password is whatever a case left it with. */
  readonly station: Identity
  /** Of profile 2. */
  readonly secured: Identity
  /** Of profile 3; its certificate is whatever a case left it with. */
  readonly certified: Serial
  readonly tokens = Object.fromEntries(Object.entries(cards).map(([name, { value }]) => [name, value])) as Record<
    keyof typeof cards,
    string
  >
  #authority: Promise<unknown> | null = null

  static async open(system: System, doors: Doors): Promise<Bench> {
    await system.api.expect('POST', '/token-groups', { id: family })
    for (const { value, ...rest } of Object.values(cards)) await system.api.registerToken(value, rest)
    const certificate = doors.stationRoot.certificate
    await system.api.expect('POST', '/trust-anchors', { name: 'Lab stations', certificate })
    const bench = new Bench(system, doors)
    await system.api.registerStation(bench.station.id, String(bench.station.password))
    await system.api.registerStation(bench.secured.id, String(bench.secured.password), { securityProfile: 2 })
    const { id, serialNumber } = bench.certified
    await system.api.expect('POST', '/stations', { id, serialNumber, securityProfile: 3 })
    bench.certified.tls = await bench.certifiedTls(doors.stationRoot, serialNumber)
    return bench
  }

  private constructor(system: System, doors: Doors) {
    this.system = system
    this.doors = doors
    const number = randomBytes(4).toString('hex')
    this.station = { url: system.urls[0] ?? '', id: `CASE-${number}`, password: newPassword() }
    this.secured = { ...this.overTls(), id: `SP2-${number}`, password: newPassword() }
    this.certified = { ...this.overTls(), id: `SP3-${number}`, serialNumber: `SN-${number}` }
  }

  /** Another station of profile 1, for what the one of all cases must not be: new, or of other switches. */
  async registers(draft: { id?: string; password?: string; switches?: object } = {}): Promise<Identity> {
    const { id = `OWN-${randomBytes(4).toString('hex')}`, password = newPassword(), ...rest } = draft
    await this.system.api.registerStation(id, password, rest)
    return { url: this.station.url, id, password }
  }

  /** Where TLS stations connect, with what they need to know the server. */
  overTls(): Pick<Identity, 'url'> & { tls: ConnectionOptions } {
    const { certificate: ca } = this.doors.serverRoot
    return { url: this.system.secureUrls[0] ?? '', tls: { ca, servername: serverName } }
  }

  /** @returns what a station with such a certificate connects with */
  async certifiedTls(issuer: TestAuthority, commonName: string, draft: Partial<CertificateDraft> = {}) {
    const { chain, key } = await issuer.issue({ commonName, organization: operatorName, ...draft })
    return { ...this.overTls().tls, cert: chain, key }
  }

  /** An authority of Busbar's own, for stations with RSA keys as for those with EC keys. */
  async hasAuthority(): Promise<void> {
    this.#authority ??= Promise.all(
      ['rsa-2048', 'ec-p256'].map((algorithm) =>
        this.system.api.expect('POST', '/certificate-authorities', { name: `Lab ${algorithm}`, algorithm }),
      ),
    )
    await this.#authority
  }

  /**
   * Plays a case with raw commands and, where the operator has a part in it, at once again through the typed endpoints: what
   * Busbar sends unasked after the first time then breaks into the second. In a full run each time ends in silence.
   * @returns what was exchanged
   * @throws what went wrong first, the silence at the end included
   */
  async play(play: Case): Promise<Exchange[]> {
    const labs = [new Lab(this, 'raw')]
    try {
      await this.#run(play, labs)
      if (labs.some(({ operatorSteps }) => operatorSteps > 0)) {
        if (isFull) await this.#mustBeSilent(labs)
        labs.push(new Lab(this, 'typed'))
        await this.#run(play, labs)
      }
      await this.#mustBeSilent(labs)
    } catch (cause) {
      if (cause instanceof Error) cause.message = `${labs.at(-1)?.mode}: ${cause.message}`
      throw cause
    } finally {
      await Promise.all(labs.flatMap(({ stations }) => stations.map((station) => station.leaves())))
    }
    return labs.flatMap(({ stations }) => stations.flatMap(({ exchanges }) => exchanges))
  }

  async #run(play: Case, labs: Lab[]): Promise<void> {
    const lab = labs.at(-1) as Lab
    if (!play.isCold) {
      await lab.connects()
      await lab.boots()
    }
    await play(lab)
  }

  async #mustBeSilent(labs: Lab[]): Promise<void> {
    await sleep(silenceMs)
    const problems = labs.flatMap(({ stations }) => stations.flatMap((station) => station.problems))
    if (problems.length > 0) throw new Error(problems.join('; '))
  }
}
