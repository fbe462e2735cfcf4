import { expect } from 'vitest'
import type { System } from '../../support/system.js'
import type { StrictStation } from '../strict-station.js'

interface ShownTransaction {
  id: string
  ocppId: string | null
  status: string
  energyWh: number | null
  stoppedReason: string | null
  token: string | null
  startedAt: string | null
  endedAt: string | null
  flags: string[]
}

/** What the API has to show of the station, by and by. */
export abstract class StationView {
  abstract readonly system: System
  abstract readonly station: StrictStation

  path(path: string, id: string = this.station.id): string {
    return `/stations/${encodeURIComponent(id)}${path ? `/${path}` : ''}`
  }

  /** Awaits that a GET behind the station shows this. */
  async shows(path: string, pattern: object, timeout = awaited.timeout): Promise<void> {
    await expect.poll(() => this.system.api.get(this.path(path)), { ...awaited, timeout }).toMatchObject(pattern)
  }

  /** Awaits that a list behind the station holds this. */
  async showsItem(path: string, pattern: object): Promise<void> {
    await expect
      .poll(() => this.items(path), awaited)
      .toEqual(expect.arrayContaining([expect.objectContaining(pattern)]))
  }

  async items<Item = Record<string, unknown>>(path: string): Promise<Item[]> {
    return (await this.system.api.get<{ items: Item[] }>(this.path(path))).items
  }

  /** Awaits the status of a connector. */
  async showsConnector(number: number, pattern: object): Promise<void> {
    const evse = { number, connectors: [expect.objectContaining(pattern)] }
    await this.shows('', { evses: expect.arrayContaining([expect.objectContaining(evse)]) })
  }

  /** Awaits a root certificate in Busbar's books of the station. @returns its row */
  async showsInstalled(pattern: object): Promise<{ id: string }> {
    const row = async () => (await this.#installed()).find((each) => isLike(each, pattern))
    await expect.poll(row, awaited).toBeDefined()
    return (await row()) as { id: string }
  }

  async showsNotInstalled(hashData: object): Promise<void> {
    const row = async () => (await this.#installed()).find((each) => isLike(each, hashData))
    await expect.poll(row, awaited).toBeUndefined()
  }

  /** Awaits the newest of the station's own certificates. */
  async showsOwnCertificate(pattern: object): Promise<void> {
    const newest = async () => (await this.system.api.get<{ own: object[] }>(this.path('certificates'))).own[0]
    await expect.poll(newest, awaited).toMatchObject(pattern)
  }

  async #installed(): Promise<{ id: string }[]> {
    return (await this.system.api.get<{ installed: { id: string }[] }>(this.path('certificates'))).installed
  }

  /** Awaits a transfer that heard, among others, these statuses in this order. */
  async showsTransfer(pattern: object, ...statuses: string[]): Promise<void> {
    const transfer = async () => {
      const found = (await this.items<{ history: { status: string }[] }>('transfers')).find((each) =>
        isLike(each, pattern),
      )
      return found?.history.map(({ status }) => status).filter((status) => statuses.includes(status))
    }
    await expect.poll(transfer, awaited).toEqual(statuses)
  }

  /** Awaits that the newest of a list, newest first, is this. */
  async showsNewest(path: string, pattern: object): Promise<void> {
    await expect.poll(async () => (await this.items(path))[0], awaited).toMatchObject(pattern)
  }

  /** Awaits what is known of a configuration key. */
  async showsKey(key: string, pattern: object): Promise<void> {
    await this.showsItem('configuration', { key, ...pattern })
  }

  /** Awaits that Busbar knows the station's local list to be this one. */
  async showsList(version: number, tokens: string[]): Promise<void> {
    const known = async () => {
      const { entries, ...rest } = await this.system.api.get<{ version: number; entries: { token: string }[] }>(
        this.path('local-list'),
      )
      return { version: rest.version, tokens: entries.map(({ token }) => token).sort() }
    }
    await expect.poll(known, awaited).toEqual({ version, tokens: [...tokens].sort() })
  }

  /** Awaits what became of a command. */
  async showsCommand(id: string, pattern: object): Promise<void> {
    await expect.poll(() => this.system.api.get(`/commands/${id}`), awaited).toMatchObject(pattern)
  }

  async countsCommands(): Promise<number> {
    const count = 'SELECT count(*)::int AS count FROM command WHERE station_id = $1'
    const { rows } = await this.system.database.query<{ count: number }>(count, [this.station.id])
    return rows[0]?.count ?? 0
  }

  /** Newest first. */
  async transactions(): Promise<ShownTransaction[]> {
    const path = `/transactions?station=${encodeURIComponent(this.station.id)}&limit=50`
    return (await this.system.api.get<{ items: ShownTransaction[] }>(path)).items
  }

  async countsTransactions(): Promise<number> {
    const count = 'SELECT count(*)::int AS count FROM charging_transaction WHERE station_id = $1'
    const { rows } = await this.system.database.query<{ count: number }>(count, [this.station.id])
    return rows[0]?.count ?? 0
  }

  /** Awaits what was asked of a connector's availability, beside what it reports. */
  async showsDesired(number: number, pattern: object): Promise<void> {
    await this.showsConnector(number, { desired: expect.objectContaining(pattern) })
  }

  /** The transaction that the API shows under an id that the station was told. */
  async transaction(ocppId: number): Promise<ShownTransaction> {
    const found = (await this.transactions()).filter((item) => item.ocppId === String(ocppId))
    expect(found).toHaveLength(1)
    return found[0] as ShownTransaction
  }

  async showsTransaction(ocppId: number, pattern: object): Promise<void> {
    await expect.poll(() => this.transaction(ocppId), awaited).toMatchObject(pattern)
  }
}

const awaited = { timeout: 5_000, interval: 25 }

const isLike = (row: object, pattern: object) =>
  Object.entries(pattern).every(([key, value]) => (row as Record<string, unknown>)[key] === value)
