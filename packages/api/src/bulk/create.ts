import type { Payload, Protocol } from '@busbar/ocpp'
import { type Database, insertInto, newId } from '@busbar/store'
import type { z } from 'zod'
import type { Caller } from '../access.js'
import type { RouteContext } from '../api.js'
import { actorOf, audited, auditStatement } from '../audit.js'
import { ProblemError } from '../problems.js'
import type { BulkCommandDraft } from '../routes/bulk-schemas.js'
import { protocol as protocolSchema } from '../schemas.js'
import { needsApproval, unapprovedPerMinute } from './limits.js'
import { toOffsets } from './plan.js'
import { sealSecrets } from './runner.js'
import { countFleet, countSwitchedAlone, countUnapprovedOpen, selectProtocols } from './statements.js'

type Draft = z.infer<typeof BulkCommandDraft>

const dayMs = 86_400_000
const maxStations = 10_000

const insertBulk = insertInto('bulk_command', {
  id: 'uuid',
  name: 'text',
  action: 'text',
  payload: 'jsonb',
  selection: 'jsonb',
  stations: 'int4',
  pacePerMinute: 'int4',
  jitterSeconds: 'int4',
  stopAbovePercent: 'int4',
  stopAfter: 'int4',
  commandExpirySeconds: 'int4',
  expiresAt: 'timestamptz',
  status: 'text',
  createdBy: 'text',
  owner: 'text',
  actor: 'text',
  createdAt: 'timestamptz',
  startedAt: 'timestamptz',
  resumedAt: 'timestamptz',
  dueAt: 'timestamptz',
})
const insertTargets = insertInto('bulk_target', { bulkId: 'uuid', stationId: 'text', offsetMs: 'int4' })

/**
 * Starts one, or has it wait for approval.
 * @returns its id
 * @throws ProblemError 404, 409 or 422 where it makes no sense: nothing is kept then
 */
export async function createBulkCommand(context: RouteContext, caller: Caller, draft: Draft): Promise<string> {
  const { database, vault, bulkLock } = context
  const stationIds = await findStations(database, draft)
  const protocols = await checkPayload(context, draft, stationIds)
  const { name = null, action, payload, jitterSeconds, stopAbovePercent, stopAfter, commandExpirySeconds } = draft
  const id = newId()

  await bulkLock.hold(async () => {
    if ((await database.prisma.bulkKillSwitch.count()) > 0) throw new ProblemError(409, 'The kill switch is engaged.')
    const now = new Date()
    const expiresAt = draft.expiresAt ?? new Date(now.getTime() + dayMs)
    if (expiresAt <= now) throw new ProblemError(422, 'It would be over before it starts.')
    const [fleet, open, alone] = await Promise.all([
      countOf(database, countFleet()),
      countOf(database, countUnapprovedOpen(now.toISOString())),
      countOf(database, countSwitchedAlone(caller.owner)),
    ])
    const pacePerMinute = draft.pacePerMinute ?? unapprovedPerMinute(fleet)
    const waits = needsApproval({ stations: stationIds.length, pacePerMinute }, fleet, open + alone)
    const approvalEndsAt = new Date(Math.min(now.getTime() + dayMs, expiresAt.getTime()))
    const targets = toOffsets(stationIds, { pacePerMinute, jitterSeconds }, Math.random)
    const row = {
      ...{ id, name, action, payload: sealSecrets(protocols, action, payload, vault), selection: selectionOf(draft) },
      ...{
        stations: stationIds.length,
        pacePerMinute,
        jitterSeconds,
        stopAbovePercent,
        stopAfter,
        commandExpirySeconds,
      },
      ...{ expiresAt, createdBy: caller.id, owner: caller.owner, actor: actorOf(caller), createdAt: now },
      ...(waits
        ? { status: 'awaiting-approval', dueAt: approvalEndsAt }
        : { status: 'running', startedAt: now, resumedAt: now, dueAt: now }),
    }
    const details = {
      action,
      selection: selectionOf(draft),
      stations: stationIds.length,
      pacePerMinute,
      needsApproval: waits,
    }
    await database.commit([
      insertBulk([row]),
      insertTargets(targets.map((target) => ({ bulkId: id, ...target }))),
      auditStatement(audited(caller, 'bulk-command.create', id, details)),
    ])
  })
  return id
}

const selectionOf = ({ group, tag, stations }: Draft) => ({
  ...(group !== undefined && { group }),
  ...(tag !== undefined && { tag }),
  ...(stations !== undefined && { stations: stations.length }),
})

async function countOf(database: Database, statement: Parameters<Database['query']>[0]): Promise<number> {
  const [row] = await database.query<{ count: number }>(statement)
  return row?.count ?? 0
}

/** The stations it means now, in the order of their ids, or as named. @throws ProblemError for none, or an unknown one */
async function findStations(database: Database, { group, tag, stations }: Draft): Promise<string[]> {
  const rows = await database.query<{ id: string }>({
    text: `SELECT s.id FROM station s
           WHERE ($1::uuid IS NULL OR EXISTS (SELECT FROM station_group_member m WHERE m.group_id = $1 AND m.station_id = s.id))
             AND ($2::text IS NULL OR s.tags @> ARRAY[$2]) AND ($3::text[] IS NULL OR s.id = ANY($3))
           ORDER BY s.id LIMIT ${maxStations + 1}`,
    values: [group ?? null, tag ?? null, stations ?? null],
  })
  const known = new Set(rows.map(({ id }) => id))
  const faults = (stations ?? []).flatMap((id, index) =>
    known.has(id) ? [] : [{ detail: `There is no station ${id}.`, pointer: `/stations/${index}` }],
  )
  if (faults.length > 0) throw new ProblemError(422, 'Some of these stations are not registered.', { faults })
  if (rows.length === 0) throw new ProblemError(422, 'There is no station that this would be sent to.')
  if (rows.length > maxStations) throw new ProblemError(422, `It would be sent to more than ${maxStations} stations.`)
  return stations ? [...new Set(stations)] : [...known]
}

/**
 * Held against the schema of every version that one of them speaks, before any has its turn.
 * @returns those versions
 */
async function checkPayload(
  { database, commands }: RouteContext,
  { action, payload }: Draft,
  stationIds: readonly string[],
): Promise<Protocol[]> {
  const rows = await database.query<{ id: string; protocol: string | null }>(selectProtocols(stationIds))
  const known = rows.flatMap(({ protocol }) => protocolSchema.safeParse(protocol).data ?? [])
  const protocols = [...new Set(known)]
  if (protocols.length === 0)
    throw new ProblemError(409, 'None of the stations has ever connected: no OCPP version is known.')
  for (const protocol of protocols) {
    const count = known.filter((each) => each === protocol).length
    await checkFor(protocol, count, { action, payload }, commands)
  }
  return protocols
}

async function checkFor(
  protocol: Protocol,
  count: number,
  { action, payload }: { action: string; payload: Payload },
  commands: RouteContext['commands'],
): Promise<void> {
  const trial = { stationId: 'trial', idempotencyKey: 'trial', requestedBy: 'trial', actor: 'trial' }
  const prepared = await commands.prepare({ ...trial, protocol, action, payload })
  if (prepared.kind === 'ok') return
  throw new ProblemError(422, `${count} of the stations, which speak ${protocol}, would not understand this command.`, {
    faults: prepared.problems.map(({ path, message }) => ({ detail: message, pointer: `/payload${path}` })),
  })
}
