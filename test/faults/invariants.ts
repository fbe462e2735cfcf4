import type { Ledger } from '@busbar/simulator'
import { checkLedgers } from '../support/check-ledgers.js'
import { until } from '../support/system.js'
import { markOf } from './fleet.js'
import type { Latencies, Rig } from './rig.js'
import { atMost, exactly, type Figure, none, shown } from './row.js'

/** What a fault of our processes or services is held against, once it is over. */
export interface Held {
  /** Of the stations' ids. */
  prefix: string
  stations: readonly { id: string; ledger: Ledger }[]
  /** Ids of the commands that the API has taken. */
  commands: readonly string[]
  /** Where the chain of the audit log was broken before, by a row that lost commits. */
  brokenAt?: number | null
  /** Postgres lost commits, as the row wanted: an API that ran meanwhile says that sealed entries are missing. */
  losesCommits?: boolean
}

/** How often a fault was injected, and how long each took to pass: milliseconds. */
export interface Recoveries {
  times: number
  each: Latencies
  goalSeconds: number
}

/** Two columns of one name are one table's: every row gives all of them, in this order. */
export const invariantNames = [
  'times injected',
  'acknowledged events lost',
  'Wh difference',
  'kept twice',
  'transaction messages thrown away',
  'commands doubled or without verdict',
  'commands not in the audit log once, or its chain broken',
  'recovery at most',
] as const

/**
 * Waits until nothing is on the way any more, and holds the stations' ledgers against Postgres: I1 to I4, I7 and I8 of
 * the list of faults. The stations are online and their queues empty.
 */
export async function checkInvariants(rig: Rig, held: Held, recoveries: Recoveries): Promise<Figure[]> {
  const doubled = await checkCommands(rig, held)
  const unaudited = await checkAudit(rig, held)
  const report = await checkLedgers(rig.system, held.stations)
  const [times, lost, difference, twice, thrownAway, commands, audit, recovery] = invariantNames
  return [
    // What was never done shows nothing.
    { ...shown(times, recoveries.times), isMet: recoveries.times > 0 },
    none(lost, report.missing),
    { ...exactly(difference, report.differenceWh, 0), examples: report.wrongEnergy.slice(0, 5) },
    none(twice, report.doubled),
    none(thrownAway, report.discarded),
    none(commands, doubled),
    none(audit, unaudited),
    atMost(recovery, recoveries.each.at(1) / 1_000, recoveries.goalSeconds, 's'),
  ]
}

interface BookedCommand {
  id: string
  status: string
  payload: Record<string, unknown>
}

const open = ['queued', 'dispatched']
/** The station has answered it. */
const answered = ['accepted', 'rejected', 'error']
const neverSent = ['undeliverable', 'expired']

/** @returns what is wrong with commands: each ends in one verdict, executed at most once, and as the verdict says */
async function checkCommands(rig: Rig, { prefix, stations, commands }: Held): Promise<string[]> {
  const read = () =>
    rig.query<BookedCommand>(
      "SELECT id::text, status, payload FROM command WHERE station_id LIKE $1 AND action = 'DataTransfer'",
      [`${prefix}-%`],
    )
  // 10 s until it expires, 35 s until nobody will say any more, and the sweep.
  const isOver = async () => (await read()).every(({ status }) => !open.includes(status))
  await until('every command has its verdict', isOver, 120_000).catch(() => {})
  const booked = await read()
  const executions = new Map<string, number>()
  for (const { ledger } of stations) {
    for (const { action, payload } of ledger.commands) {
      if (action === 'DataTransfer') executions.set(markOf(payload), (executions.get(markOf(payload)) ?? 0) + 1)
    }
  }
  const wrong = booked.flatMap(({ id, status, payload }) => {
    const times = executions.get(markOf(payload)) ?? 0
    const isRight =
      !open.includes(status) &&
      times <= 1 &&
      !(answered.includes(status) && times === 0) &&
      !(neverSent.includes(status) && times > 0)
    return isRight ? [] : [`${id}: ${status}, executed ${times} times`]
  })
  const known = new Set(booked.map(({ id }) => id))
  return [...wrong, ...commands.filter((id) => !known.has(id)).map((id) => `${id}: taken, and not in the books`)]
}

/**
 * Also of a Postgres that lost commits: a command that the log brings back is written down and audited again, and of one that
 * only the lost Postgres knew nothing is left.
 * @returns commands with no entry in the audit log, or several, and where its chain does not hold
 */
async function checkAudit(
  rig: Rig,
  { prefix, commands, brokenAt = null, losesCommits = false }: Held,
): Promise<string[]> {
  const others = await rig.query<{ id: string; entries: number }>(
    `WITH asked AS (SELECT id::text FROM command WHERE station_id LIKE $1 UNION SELECT unnest($2::text[]))
     SELECT asked.id, count(entry.id)::int AS entries
     FROM asked LEFT JOIN audit_entry entry ON entry.action = 'command.send' AND entry.details->>'commandId' = asked.id
     GROUP BY 1 HAVING count(entry.id) <> 1`,
    [`${prefix}-%`, commands],
  )
  const isSealed = async () => (await rig.verifyAudit()).unsealed === 0
  await until('every entry is in the chain', isSealed).catch(() => {})
  const { broken, unsealed } = await rig.verifyAudit()
  const isExpected = broken?.position === brokenAt || (losesCommits && broken?.kind === 'missing')
  return [
    ...others.map(({ id, entries }) => `${id}: ${entries} entries`),
    ...(broken && !isExpected ? [`the chain is broken at ${broken.position}: ${broken.kind}`] : []),
    ...(unsealed > 0 ? [`${unsealed} entries are not in the chain`] : []),
  ]
}
