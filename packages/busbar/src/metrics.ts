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

/** Neither the operator nor we ourselves have given them up: nobody waits for those. */
const activeWebhooks = `webhook w LEFT JOIN webhook_state s ON s.webhook_id = w.id
  WHERE w.enabled AND (s.disabled_at IS NULL OR s.disabled_at < w.enabled_at)`

const countBacklog = sql(`
  WITH active AS (SELECT w.id, s.failing_since FROM ${activeWebhooks})
  SELECT
    (SELECT count(*) FROM outbox)::int AS "outboxRows",
    (SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL AND discarded_at IS NULL)::int AS "openDeadLetters",
    (SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM job WHERE due_at < now())::float8 AS "overdueSeconds",
    (SELECT count(*) FROM active w JOIN webhook_delivery d ON d.webhook_id = w.id AND d.due_at < now())::int AS "dueDeliveries",
    (SELECT count(*) FROM active WHERE failing_since IS NOT NULL)::int AS "failingWebhooks",
    (SELECT jsonb_object_agg(kind, count) FROM (SELECT kind, count(*) FROM alert WHERE cleared_at IS NULL GROUP BY kind) AS a) AS alerts,
    (SELECT jsonb_object_agg(status, count) FROM (SELECT status, count(*) FROM bulk_command WHERE completed_at IS NULL GROUP BY status) AS b)
      AS "bulkCommands"`)

interface Backlog {
  outboxRows: number
  openDeadLetters: number
  overdueSeconds: number
  dueDeliveries: number
  failingWebhooks: number
  /** Null where there are none. */
  alerts: Readonly<Record<string, number>> | null
  bulkCommands: Readonly<Record<string, number>> | null
}

/** Shown as 0 while there are none, so that an alarm sees the first one as a change. */
const alertKinds = ['offline', 'silent', 'faulted', 'stuck-transaction', 'refused', 'webhook-disabled']
const openStatuses = ['awaiting-approval', 'running', 'stopped']

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
  gauge('busbar_webhook_deliveries_due', 'Deliveries to webhooks whose time has come', (each) => each.dueDeliveries)
  gauge('busbar_webhooks_failing', 'Webhooks whose last attempt failed', (each) => each.failingWebhooks)
  const gaugeBy = (
    { name, help, label, values }: { name: string; help: string; label: string; values: readonly string[] },
    pick: (backlog: Backlog) => Readonly<Record<string, number>> | null,
  ) =>
    new Gauge({
      ...{ name, help, labelNames: [label], registers: [registry] },
      async collect() {
        const backlog = await ask()
        this.reset()
        if (backlog) for (const value of values) this.set({ [label]: value }, pick(backlog)?.[value] ?? 0)
      },
    })
  gaugeBy(
    {
      name: 'busbar_alerts_open',
      help: 'Alerts of stations and webhooks that last',
      label: 'kind',
      values: alertKinds,
    },
    (each) => each.alerts,
  )
  gaugeBy(
    {
      ...{ name: 'busbar_bulk_commands', help: 'Bulk commands that are not over', label: 'status' },
      values: openStatuses,
    },
    (each) => each.bulkCommands,
  )
}
