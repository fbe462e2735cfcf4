import type { Protocol } from '@busbar/ocpp'
import type { Sql } from '@busbar/store'
import type { Command } from './command.js'
import { type CounterName, type Counters, maxId } from './ids.js'
import type { SecretChange } from './password.js'
import { type LimitVariable, type MessageLimits, splitRuleOf } from './split.js'
import {
  type AuditRow,
  type CounterRow,
  insertAudits,
  insertCommands,
  toSecretStatements,
  updateCommands,
  upsertCounters,
} from './statements.js'

/** What the commands service reads of tables that others write. */
export interface StationFacts {
  stationId: string
  /** The version it spoke last; null when it has never connected. */
  protocol: Protocol | null
  /** Those the operator allows; empty for all. */
  allowed: readonly Protocol[]
  epoch: number
  connectedAt: Date | null
}

export interface LimitRow {
  stationId: string
  componentKey: string
  variableKey: string
  variableInstance: string
  value: string | null
}

export interface Loaded {
  commands: readonly Command[]
  stations: readonly StationFacts[]
  counters: readonly CounterRow[]
  limits: readonly LimitRow[]
  pendingSecrets: readonly PendingSecret[]
}

/** The password of a change that is undecided: the station may have taken it. */
export interface PendingSecret {
  stationId: string
  hash: string
  /** Null: in this batch. */
  createdAt: Date | null
  /** The CALL that alone carried it. */
  carriedBy: string | null
}

/** What a batch knows and changes. */
export class CommandsState {
  readonly #commands = new Map<string, Command>()
  readonly #ids = new Map<string, string>()
  readonly #stations: ReadonlyMap<string, StationFacts>
  readonly #counters: ReadonlyMap<string, CounterRow>
  readonly #changedCounters = new Map<string, CounterRow>()
  readonly #limits: readonly LimitRow[]
  readonly #added = new Set<string>()
  readonly #changed = new Set<string>()
  readonly #audits: AuditRow[] = []
  readonly #secrets: SecretChange[] = []
  readonly #pendingSecrets: Map<string, PendingSecret>

  constructor({ commands, stations, counters, limits, pendingSecrets }: Loaded) {
    for (const command of commands) this.#remember(command)
    this.#stations = new Map(stations.map((station) => [station.stationId, station]))
    this.#counters = new Map(counters.map((counter) => [counterKey(counter.stationId, counter.name), counter]))
    this.#limits = limits
    this.#pendingSecrets = new Map(pendingSecrets.map((secret) => [secret.stationId, secret]))
  }

  find(id: string): Command | undefined {
    return this.#commands.get(id)
  }

  findByKey(requestedBy: string, idempotencyKey: string): Command | undefined {
    return this.find(this.#ids.get(requestKey(requestedBy, idempotencyKey)) ?? '')
  }

  ofStation(stationId: string): Command[] {
    return [...this.#commands.values()].filter((command) => command.stationId === stationId)
  }

  add(command: Command, audit: Omit<AuditRow, 'targetType' | 'targetId' | 'action'>): void {
    this.#remember(command)
    this.#added.add(command.id)
    this.#audits.push({ ...audit, action: 'command.send', targetType: 'station', targetId: command.stationId })
  }

  put(command: Command): void {
    if (this.#commands.get(command.id) === command) return
    this.#remember(command)
    if (!this.#added.has(command.id)) this.#changed.add(command.id)
  }

  station(stationId: string): StationFacts | undefined {
    return this.#stations.get(stationId)
  }

  countersOf(stationId: string): Counters {
    const current = (name: CounterName) => {
      const key = counterKey(stationId, name)
      return (this.#changedCounters.get(key) ?? this.#counters.get(key))?.value ?? 0
    }
    const set = (name: CounterName, value: number) =>
      this.#changedCounters.set(counterKey(stationId, name), { stationId, name, value })
    return {
      next: (name) => {
        const value = current(name) >= maxId ? 1 : current(name) + 1
        set(name, value)
        return value
      },
      used: (name, id) => {
        if (id > current(name)) set(name, id)
      },
    }
  }

  limitsOf(stationId: string, protocol: Protocol, action: string): MessageLimits {
    const rule = splitRuleOf(protocol, action)
    if (!rule) return { items: null, bytes: null }
    return { items: this.#limit(stationId, rule.items), bytes: rule.bytes && this.#limit(stationId, rule.bytes) }
  }

  #limit(stationId: string, { component, variable, instance }: LimitVariable): number | null {
    const row = this.#limits.find(
      (each) =>
        each.stationId === stationId &&
        each.variableKey === variable &&
        (component === null || (each.componentKey === component && each.variableInstance === instance)),
    )
    const value = Number(row?.value ?? Number.NaN)
    return Number.isInteger(value) && value > 0 ? value : null
  }

  /** Its hash; undefined when no change is open. Known of stations whose password a command of this batch may change. */
  pendingSecret(stationId: string): string | undefined {
    return this.#pendingSecrets.get(stationId)?.hash
  }

  changeSecret(change: SecretChange): void {
    this.#secrets.push(change)
    const { stationId } = change
    const pending = this.#pendingSecrets.get(stationId)
    if (change.kind === 'propose') {
      const { hash, carriedBy } = change
      const again = pending?.hash === hash && { ...pending, carriedBy: null }
      // What is proposed in this batch was proposed after any login it tells of.
      this.#pendingSecrets.set(stationId, again || { stationId, hash, createdAt: null, carriedBy })
    } else if (pending && isOver(pending, change)) this.#pendingSecrets.delete(stationId)
  }

  save(): Sql[] {
    const rows = (ids: ReadonlySet<string>) => [...ids].flatMap((id) => this.#commands.get(id) ?? [])
    const counters = [...this.#changedCounters.values()]
    return [
      ...(this.#added.size > 0 ? [insertCommands(rows(this.#added)), insertAudits(this.#audits)] : []),
      ...(this.#changed.size > 0 ? [updateCommands(rows(this.#changed))] : []),
      ...(counters.length > 0 ? [upsertCounters(counters)] : []),
      ...this.#secrets.flatMap(toSecretStatements),
    ]
  }

  #remember(command: Command): void {
    this.#commands.set(command.id, command)
    this.#ids.set(requestKey(command.requestedBy, command.idempotencyKey), command.id)
  }
}

function isOver(pending: PendingSecret, change: Exclude<SecretChange, { kind: 'propose' }>): boolean {
  if (change.kind === 'used') return pending.createdAt !== null && pending.createdAt <= change.at
  return pending.hash === change.hash && (change.kind === 'confirm' || pending.carriedBy === change.carriedBy)
}

const requestKey = (requestedBy: string, idempotencyKey: string) => `${requestedBy}\n${idempotencyKey}`
const counterKey = (stationId: string, name: string) => `${stationId}\n${name}`
