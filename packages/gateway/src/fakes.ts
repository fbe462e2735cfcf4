import {
  type ChannelListener,
  type ChannelMessage,
  type CommandMessage,
  type EventLog,
  type OutgoingRecord,
  type Ownership,
  type ProvenProfile,
  type StationChannels,
  stationChannel,
} from '@busbar/backbone'
import { type Database, UnavailableError, Vault } from '@busbar/store'
import type { StationRecord } from './upgrade/station-directory.js'

/** A log in memory that can be stopped and broken. */
export class FakeLog implements EventLog {
  readonly id = 'fake'
  readonly records: OutgoingRecord[] = []
  /** Those of them that were allowed to wait for company. */
  readonly lingering = new Set<OutgoingRecord>()
  available = true
  /** Set: appends wait until `release`. */
  isHeld = false
  /** Called for every record once it is in. */
  onRecord: (record: OutgoingRecord) => void = () => {}
  #held: { record: OutgoingRecord; resolve: () => void; reject: (cause: unknown) => void }[] = []

  append(record: OutgoingRecord, { linger = false }: Parameters<EventLog['append']>[1] = {}): Promise<void> {
    if (linger) this.lingering.add(record)
    if (!this.available) return Promise.reject(new UnavailableError('The log is away'))
    return new Promise((resolve, reject) => {
      this.#held.push({ record, resolve, reject })
      if (!this.isHeld) this.release()
    })
  }

  get heldCount(): number {
    return this.#held.length
  }

  /** Takes in what waits, all of it or the first `count`. */
  release(count = this.#held.length): void {
    for (const { record, resolve } of this.#held.splice(0, count)) {
      this.records.push(record)
      resolve()
      this.onRecord(record)
    }
  }

  /** Away, and what waits is refused. */
  break(): void {
    this.available = false
    for (const { reject } of this.#held.splice(0)) reject(new UnavailableError('The log went away'))
  }

  ofType(type: string): OutgoingRecord[] {
    return this.records.filter((record) => record.headers.type === type)
  }

  consume(): Promise<never> {
    throw new Error('The gateway consumes nothing')
  }

  tail(): Promise<never> {
    throw new Error('The gateway tails nothing')
  }

  async close(): Promise<void> {}
}

/** Channels and ownership in memory, with a switch for "Redis is away". */
export class FakeRedis {
  isAway = false
  readonly owners = new Map<string, { epoch: number; connectionId: string; gatewayId: string; protocol: string }>()
  readonly released: string[] = []
  /** What stations proved to other gateways. */
  readonly proven = new Map<string, ProvenProfile>()
  readonly #leases = new Set<string>()
  readonly #listeners = new Map<string, Set<ChannelListener>>()
  nextEpoch = 1_001

  readonly channels: StationChannels = {
    isAvailable: true,
    subscribe: async (channel, listener) => {
      const listeners = this.#listeners.get(channel) ?? new Set()
      this.#listeners.set(channel, listeners.add(listener))
    },
    unsubscribe: async (channel, listener) => {
      this.#listeners.get(channel)?.delete(listener)
    },
    publish: async (messages) => {
      this.#failIfAway()
      return messages.map(({ channel, message }) => this.#publish(channel, message))
    },
    heard: async () => this.#failIfAway(),
  }

  readonly ownership: Ownership = {
    register: async (stationId, { connectionId, gatewayId, protocol, proven }) => {
      this.#failIfAway()
      const boundTo = this.proven.get(stationId)
      if (boundTo && boundTo.profile > proven.profile) return { boundTo }
      const epoch = this.nextEpoch++
      this.owners.set(stationId, { epoch, connectionId, gatewayId, protocol })
      this.#publish(stationChannel(stationId), { kind: 'takeover', epoch, connectionId })
      return { epoch }
    },
    find: async (stationId) => this.owners.get(stationId) ?? null,
    unregister: async (stationId, epoch) => {
      this.#failIfAway()
      return this.owners.get(stationId)?.epoch === epoch && this.owners.delete(stationId)
    },
    dispatch: async (stationId, command) => {
      this.#failIfAway()
      const owner = this.owners.get(stationId)
      if (!owner) return { receivers: 0, epoch: null, gatewayId: null }
      const receivers = this.#publish(stationChannel(stationId), { ...command, epoch: owner.epoch } as CommandMessage)
      return { receivers, epoch: owner.epoch, gatewayId: owner.gatewayId }
    },
    renewLease: async (gatewayId) => {
      this.#failIfAway()
      const isKnown = this.#leases.has(gatewayId)
      this.#leases.add(gatewayId)
      return isKnown
    },
    takeLapsed: async () => [],
    releaseGateway: async (gatewayId) => {
      this.released.push(gatewayId)
    },
  }

  /** All it held is gone, as after a restart without its data. */
  empty(): void {
    this.owners.clear()
    this.#leases.clear()
  }

  /** As a message of a service or another gateway. */
  tell(stationId: string, message: ChannelMessage): number {
    return this.#publish(stationChannel(stationId), message)
  }

  listeners(stationId: string): number {
    return this.#listeners.get(stationChannel(stationId))?.size ?? 0
  }

  #publish(channel: string, message: ChannelMessage): number {
    const listeners = [...(this.#listeners.get(channel) ?? [])]
    for (const listener of listeners) listener.receive(structuredClone(message))
    return listeners.length
  }

  #failIfAway(): void {
    if (this.isAway) throw new UnavailableError('Redis is away')
  }
}

/** Answers the gateway's statements out of lists. */
export class FakeDatabase {
  readonly stations: StationRecord[] = []
  /** PEM and fingerprint of each. */
  readonly anchors: { certificate: string; fingerprint: string }[] = []
  /** Fingerprints. */
  readonly revoked: string[] = []
  isAway = false
  /** How long an answer takes. */
  delayMs = 0
  queries = 0

  readonly database = {
    query: async (statement: { text: string; values: unknown[] }) => {
      this.queries++
      if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
      if (this.isAway) throw new UnavailableError('Postgres is away')
      if (statement.text.includes('FROM trust_anchor')) return [...this.anchors]
      if (statement.text.includes('FROM revoked')) return this.revoked.map((fingerprint) => ({ fingerprint }))
      const [first] = statement.values
      if (statement.text.includes('INSERT INTO station')) {
        this.stations.push(stationRecord({ id: String(first), securityProfile: 0, registration: null, secrets: [] }))
        return []
      }
      return this.stations
        .filter(({ id }) => (first as string[]).includes(id.toLowerCase()))
        .map((station) => ({ ...station, foldedId: station.id.toLowerCase() }))
    },
  } as unknown as Database
}

export function stationRecord(overrides: Partial<StationRecord> = {}): StationRecord {
  return {
    id: 'CP1',
    registrationPolicy: 'accept',
    heartbeatIntervalSeconds: 300,
    acceptWithoutBoot: false,
    securityProfile: 1,
    profileSetAt: null,
    provenProfile: 0,
    serialNumber: null,
    controllerSerialNumber: null,
    closedCertificates: [],
    protocols: [],
    protocolWithoutHeader: null,
    switches: {},
    registration: 'Accepted',
    secrets: [{ slot: 'current', hash: testVault.hashPassword(testPassword) }],
    ...overrides,
  }
}

export const testPassword = 'correct horse battery'
export const testVault = new Vault('a master secret for tests only, of no worth')
