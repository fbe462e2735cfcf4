import { sharedMetric } from '@busbar/backbone'
import { type Database, type OpenDatabase, sql } from '@busbar/store'
import { Gauge, type Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }

/** Which role of which version runs here; a process may play several. */
export function showRole(registry: Registry, role: 'gateway' | 'worker' | 'api'): void {
  const name = 'busbar_info'
  const help = '1 for each role that this process plays'
  sharedMetric(
    registry,
    name,
    () => new Gauge({ name, help, labelNames: ['role', 'version'], registers: [registry] }),
  ).set({ role, version: manifest.version }, 1)
}

/** How this process stands to Postgres. It is asked whenever the metrics are read. */
export function showDatabase(registry: Registry, database: OpenDatabase): void {
  const registers = [registry]
  // First, for what follows takes connections.
  new Gauge({
    name: 'busbar_database_connections',
    help: 'Connections of the pool',
    labelNames: ['state'],
    registers,
    collect() {
      const { busy, idle } = database.poolUse()
      this.set({ state: 'busy' }, busy)
      this.set({ state: 'idle' }, idle)
    },
  })
  new Gauge({
    name: 'busbar_database_waiting',
    help: 'Queries that wait for a connection of the pool',
    registers,
    collect() {
      this.set(database.poolUse().waiting)
    },
  })
  new Gauge({
    name: 'busbar_database_available',
    help: '1 while Postgres answers',
    registers,
    async collect() {
      const answers = database.ping().then(
        () => 1,
        () => 0,
      )
      this.set(await answers)
    },
  })
}

const countBacklog = sql(`
  SELECT
    (SELECT count(*) FROM outbox)::int AS "outboxRows",
    (SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL AND discarded_at IS NULL)::int AS "openDeadLetters",
    (SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM job WHERE due_at < now())::float8 AS "overdueSeconds"`)

interface Backlog {
  outboxRows: number
  openDeadLetters: number
  overdueSeconds: number
}

/** What waits in the tables of all; every worker tells it, so look at the highest. */
export function showBacklog(registry: Registry, database: Database): void {
  let asked: Promise<Backlog | null> | null = null
  /** All gauges of one reading are served by one query. */
  const ask = () => {
    asked ??= database
      .query<Backlog>(countBacklog())
      .then(
        ([backlog]) => backlog ?? null,
        () => null,
      )
      .finally(() => {
        asked = null
      })
    return asked
  }
  const gauge = (name: string, help: string, pick: (backlog: Backlog) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const backlog = await ask()
        // Unknown is not 0, nor what it was.
        if (backlog) this.set(pick(backlog))
        else this.remove()
      },
    })
  gauge('busbar_outbox_rows', 'Outgoing records that the log has not acknowledged', (each) => each.outboxRows)
  gauge(
    'busbar_dead_letters_open',
    'Dead letters that nobody has replayed or discarded',
    (each) => each.openDeadLetters,
  )
  gauge(
    'busbar_jobs_overdue_seconds',
    'Since when the oldest due job waits to be handed out',
    (each) => each.overdueSeconds,
  )
}
