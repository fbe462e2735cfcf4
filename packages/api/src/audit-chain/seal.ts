import { type Database, sql, UnavailableError, type Vault } from '@busbar/store'
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import { type Link, linkTo, type SealableEntry, sealedColumns, startOfChain } from './chain.js'

interface Ports {
  database: Database
  vault: Pick<Vault, 'link'>
}

const atOnce = 2_000
const everyMs = 1_000
const tellHeadMs = 3_600_000

const selectHead = sql(
  'SELECT position, hash FROM audit_entry WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1',
)
/** By the index of positions: along the ids the whole chain, all of it sealed, would be read each second. */
const selectUnsealed = sql(
  `SELECT ${sealedColumns} FROM audit_entry WHERE position IS NULL ORDER BY id + 0 LIMIT ${atOnce}`,
)
const selectLink = sql('SELECT position, hash FROM audit_entry WHERE position = $1')
const lockChain = sql("SELECT pg_advisory_xact_lock(hashtext('busbar audit chain'))")
/** Only onto the head that the links were made for: another process may have sealed meanwhile. */
const setLinks = sql(
  `UPDATE audit_entry AS e SET position = s.position, hash = s.hash
   FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS s(id, position, hash)
   WHERE e.id = s.id AND $4::bigint = (SELECT coalesce(max(position), 0) FROM audit_entry)`,
)

/** The last link of the chain; its start while nothing is sealed. @throws UnavailableError */
export async function findHead({ database }: Pick<Ports, 'database'>): Promise<Link> {
  const [head = startOfChain] = await database.query<Link>(selectHead())
  return head
}

/**
 * Seals what was committed since, in the order of ids. Entries are written without a lock and sealed here, so that no
 * mutation waits for another; any number of processes may try at once.
 * @returns the head, and whether more may be waiting
 * @throws UnavailableError
 */
export async function sealEntries({ database, vault }: Ports): Promise<{ head: Link; more: boolean }> {
  const before = await findHead({ database })
  const entries = await database.query<SealableEntry>(selectUnsealed())
  if (entries.length === 0) return { head: before, more: false }
  const links: Link[] = []
  for (const entry of entries) links.push(linkTo(vault, links.at(-1) ?? before, entry))
  const positions = links.map(({ position }) => position)
  const hashes = links.map(({ hash }) => hash)
  await database.commit([
    lockChain(),
    setLinks(
      entries.map(({ id }) => id),
      positions,
      hashes,
      before.position,
    ),
  ])
  return { head: await findHead({ database }), more: entries.length === atOnce }
}

/**
 * Seals about every second, notices when the head it knew is gone, and tells the head in the log once an hour: logs are
 * kept elsewhere, so a chain that was cut or made anew does not fit them any more.
 */
export function startAuditSealing(ports: Ports & { log: Logger; metrics: Registry }): { stop(): Promise<void> } {
  const { database, log, metrics } = ports
  const registers = [metrics]
  const sealed = new Gauge({ name: 'busbar_audit_sealed_entries', help: 'Length of the audit chain', registers })
  const breaks = new Counter({
    name: 'busbar_audit_breaks_total',
    help: 'Times that the end of the audit chain was found removed or changed',
    registers,
  })
  let known: Link | null = null
  let toldAt = 0
  let stopping = false
  let wake = () => {}

  async function checkKnown(): Promise<void> {
    if (!known || known.position === 0n) return
    const [now] = await database.query<Link>(selectLink(known.position))
    if (now?.hash.equals(known.hash)) return
    breaks.inc()
    log.error({ ...toText(known) }, 'the audit log was cut or changed: this head of it is gone')
  }

  async function sealAll(): Promise<void> {
    await checkKnown()
    for (;;) {
      const { head, more } = await sealEntries(ports)
      if (head.position !== known?.position && Date.now() - toldAt > tellHeadMs) {
        toldAt = Date.now()
        log.info(toText(head), 'head of the audit log')
      }
      known = head
      sealed.set(Number(head.position))
      if (!more || stopping) return
    }
  }

  async function run(): Promise<void> {
    while (!stopping) {
      await sealAll().catch((cause: unknown) => {
        const level = cause instanceof UnavailableError ? 'warn' : 'error'
        log[level]({ err: cause }, 'the audit log is sealed later')
      })
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        if (stopping) wake()
      })
    }
  }

  const work = run()
  return {
    stop: async () => {
      stopping = true
      wake()
      await work
    },
  }
}

function toText({ position, hash }: Link): { position: string; hash: string } {
  return { position: String(position), hash: hash.toString('hex') }
}
