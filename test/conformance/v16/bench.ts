import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
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
  single: { value: 'SINGLE-0001', maxTransactions: 1, groupId: 'FAMILY', expiresAt: '2099-12-31T23:59:59Z' },
}
export const unknownCard = 'NOBODY-0001'
export const family = 'FAMILY'

/** After the last step nothing more may come for so long. */
const isFull = process.env.CONFORMANCE_FULL === '1'
const silenceMs = isFull ? 5_000 : 1_000

/**
 * A running system with the one station that plays all its cases, one after the other: nothing is restarted, cleaned up or
 * switched between them.
 */
export class Bench {
  readonly system: System
  /** The station; its password is whatever a case left it with. */
  readonly station: Identity
  readonly tokens = Object.fromEntries(Object.entries(cards).map(([name, { value }]) => [name, value])) as Record<
    keyof typeof cards,
    string
  >

  static async open(system: System): Promise<Bench> {
    const password = randomBytes(20).toString('hex')
    const id = `CASE-${randomBytes(4).toString('hex')}`
    await system.api.registerStation(id, password)
    await system.api.expect('POST', '/token-groups', { id: family })
    for (const { value, ...rest } of Object.values(cards)) await system.api.registerToken(value, rest)
    return new Bench(system, { url: system.urls[0] ?? '', id, password })
  }

  private constructor(system: System, station: Identity) {
    this.system = system
    this.station = station
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
