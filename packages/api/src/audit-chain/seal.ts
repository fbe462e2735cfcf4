import { sql, UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import { type Link, linkTo, type SealableEntry, sealedColumns } from './chain.js'
import { type ChainPorts, isAsRead, noteChain, readStanding, type Standing } from './standing.js'

const atOnce = 2_000
const everyMs = 1_000
const tellHeadMs = 3_600_000

/** By the index of positions: along the ids the whole chain, all of it sealed, would be read each second. */
const selectUnsealed = sql(
  `SELECT ${sealedColumns} FROM audit_entry WHERE position IS NULL ORDER BY id + 0 LIMIT ${atOnce}`,
)
const lockChain = sql("SELECT pg_advisory_xact_lock(hashtext('busbar audit chain'))")
/** Only onto the head that the links were made for: another process may have sealed meanwhile. */
const setLinks = sql(
  `UPDATE audit_entry AS e SET position = s.position, hash = s.hash
   FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS s(id, position, hash)
   WHERE e.id = s.id AND ${isAsRead('$4')}`,
)

/**
 * Seals what was committed since, in the order of ids. Entries are written without a lock and sealed here, so that no
 * mutation waits for another; any number of processes may try at once.
 * @param known the last head that this process saw
 * @returns how the chain stands, and whether more may be waiting
 * @throws UnavailableError
 */
export async function sealEntries(ports: ChainPorts, known?: Link): Promise<{ standing: Standing; more: boolean }> {
  const { database, vault } = ports
  const before = await readStanding(ports, known)
  const entries = await database.query<SealableEntry>(selectUnsealed())
  if (entries.length === 0 && before.isNoted) return { standing: before, more: false }
  const links: Link[] = []
  for (const entry of entries) links.push(linkTo(vault, links.at(-1) ?? before.head, entry))
  const ids = entries.map(({ id }) => id)
  const positions = links.map(({ position }) => position)
  const hashes = links.map(({ hash }) => hash)
  const head = links.at(-1) ?? before.head
  await database.commit([
    lockChain(),
    setLinks(ids, positions, hashes, before.seal),
    noteChain(vault, { ...before, head }),
  ])
  return { standing: await readStanding(ports, known), more: entries.length === atOnce }
}

/**
 * Seals about every second, says when the chain is not the one that was sealed, and tells the head in the log once an
 * hour: logs are kept elsewhere, so a chain that was made anew, its note included, does not fit them any more.
 */
export function startAuditSealing(ports: ChainPorts & { log: Logger; metrics: Registry }): { stop(): Promise<void> } {
  const { log, metrics } = ports
  const registers = [metrics]
  const sealed = new Gauge({ name: 'busbar_audit_sealed_entries', help: 'Length of the audit chain', registers })
  const broken = new Gauge({
    name: 'busbar_audit_broken',
    help: '1 once the audit chain was found to be another one than was sealed',
    registers,
  })
  let known: Link | undefined
  let isBroken = false
  let toldAt = 0
  let stopping = false
  let wake = () => {}

  async function sealAll(): Promise<void> {
    for (;;) {
      const { standing, more } = await sealEntries(ports, known)
      const { head, brokenAt } = standing
      if (brokenAt !== null && !isBroken) {
        log.error({ brokenAt: `${brokenAt}`, ...toText(head) }, 'the audit log was cut or changed')
      }
      isBroken = brokenAt !== null
      if (head.position !== known?.position && Date.now() - toldAt > tellHeadMs) {
        toldAt = Date.now()
        log.info(toText(head), 'head of the audit log')
      }
      known = head
      broken.set(isBroken ? 1 : 0)
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
