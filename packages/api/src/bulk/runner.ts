import { mapSecrets, type Payload, type Protocol } from '@busbar/ocpp'
import { dbTransaction, type Session, type Sql, UnavailableError } from '@busbar/store'
import type { RouteContext } from '../api.js'
import type { RecordableCommand } from '../ports.js'
import { protocol as protocolSchema } from '../schemas.js'
import { planSteps, type Run, type Step } from './plan.js'
import {
  countFleet,
  countUnapprovedLately,
  expireWaiting,
  keepProgress,
  markSent,
  selectDue,
  selectProtocols,
  selectRuns,
  updateRuns,
} from './statements.js'

type Ports = Pick<RouteContext, 'database' | 'commands' | 'vault' | 'log' | 'bulkLock' | 'pokeOutbox'>

/** With what its commands are made of. */
type RunRow = Run & {
  action: string
  /** Secrets sealed. */
  payload: Payload
  createdBy: string
  actor: string
  commandExpirySeconds: number
}

const sweepMs = 1_000

/**
 * Takes bulk commands on, a step at a time, as long as the API runs. Everything it knows stands in rows: whichever process
 * takes the next step goes on where the last one ended, and a step that was made twice sends nothing twice, because each
 * station's command has its idempotency key.
 */
export function startBulkRunner(ports: Ports): { stop(): Promise<void> } {
  let work: Promise<void> | null = null
  const timer = setInterval(() => {
    work ??= sweep(ports).finally(() => {
      work = null
    })
  }, sweepMs)
  return {
    stop: async () => {
      clearInterval(timer)
      await work
    },
  }
}

async function sweep(ports: Ports): Promise<void> {
  try {
    const due = await ports.database.query(selectDue())
    if (due.length > 0) await ports.bulkLock.holdIfFree((session) => takeSteps(ports, session, new Date()))
  } catch (cause) {
    const level = cause instanceof UnavailableError ? 'warn' : 'error'
    ports.log[level]({ err: cause }, 'bulk commands wait')
  }
}

/** One step of all that run; under the lock. */
async function takeSteps(ports: Ports, session: Session, now: Date): Promise<void> {
  const { database } = ports
  const at = now.toISOString()
  await database.query(expireWaiting(at))
  const [runs, [lately], [fleet]] = await Promise.all([
    database.query<RunRow>(selectRuns(at)),
    database.query<{ count: number }>(countUnapprovedLately(at)),
    database.query<{ count: number }>(countFleet()),
  ])
  const steps = planSteps(runs, { now, fleet: fleet?.count ?? 0, unapprovedLately: lately?.count ?? 0 })
  const rowOf = new Map(runs.map((run) => [run.id, run]))
  const sends = await Promise.all(
    steps.map(async (step) => {
      const run = rowOf.get(step.id)
      return run && step.send.length > 0 ? toSends(run, step.send, ports, now) : []
    }),
  )
  await dbTransaction(session, async () => {
    for (const statement of [...sends.flat(), ...toUpdates(steps, now)]) await session.query(statement)
  })
  if (sends.some((statements) => statements.length > 0)) ports.pokeOutbox()
}

function toUpdates(steps: readonly Step[], now: Date): Sql[] {
  if (steps.length === 0) return []
  const completed = steps.filter(({ end }) => end?.status === 'completed').map(({ id }) => id)
  return [
    ...(completed.length > 0 ? [keepProgress(completed)] : []),
    updateRuns(
      steps.map(({ id, end, dueAt }) => ({
        id,
        status: end?.status ?? 'running',
        statusReason: end?.reason ?? null,
        dueAt,
        completedAt: end && end.status !== 'stopped' ? now : null,
      })),
    ),
  ]
}

/** Ordinary commands, each by the same intake as one that an operator sends alone. */
async function toSends(run: RunRow, stationIds: readonly string[], ports: Ports, now: Date): Promise<Sql[]> {
  const rows = await ports.database.query<{ id: string; protocol: string | null }>(selectProtocols(stationIds))
  const protocols = new Map(rows.map(({ id, protocol }) => [id, protocolSchema.safeParse(protocol).data]))
  const prepared = await Promise.all(
    stationIds.map(async (stationId) => ({
      stationId,
      ...(await prepare(run, stationId, protocols.get(stationId), ports, now)),
    })),
  )
  const commands = prepared.flatMap(({ command }) => command ?? [])
  return [
    ...(commands.length > 0 ? [ports.commands.record(commands)] : []),
    markSent(
      prepared.map(({ stationId }) => stationId),
      prepared.map(({ error }) => error),
      now.toISOString(),
      run.id,
    ),
  ]
}

async function prepare(
  run: RunRow,
  stationId: string,
  protocol: Protocol | undefined,
  { commands, vault }: Ports,
  now: Date,
): Promise<{ command: RecordableCommand | null; error: string | null }> {
  if (!protocol) return { command: null, error: 'It is not registered any more, or its OCPP version is not known' }
  const payload = openSecrets(protocol, run.action, run.payload, vault)
  if (!payload)
    return { command: null, error: 'A secret of its payload does not open: it was sealed by another master secret' }
  const prepared = await commands.prepare({
    stationId,
    protocol,
    action: run.action,
    payload,
    idempotencyKey: `bulk/${run.id}/${stationId}`,
    requestedBy: run.createdBy,
    actor: run.actor,
    expiresAt: new Date(now.getTime() + run.commandExpirySeconds * 1_000),
  })
  if (prepared.kind === 'ok') return { command: prepared, error: null }
  return { command: null, error: prepared.problems.map(({ message }) => message).join('; ') }
}

type Secrets = Pick<RouteContext['vault'], 'seal' | 'open' | 'isSealed'>

/** For the row of the bulk command. A secret that looks like a sealed one is one as well. */
export function sealSecrets(protocols: readonly Protocol[], action: string, payload: Payload, vault: Secrets): Payload {
  const made = new Set<string>()
  const seal = (value: string) => {
    const sealed = made.has(value) ? value : vault.seal(value)
    made.add(sealed)
    return sealed
  }
  return protocols.reduce<Payload>((sealed, protocol) => mapSecrets(protocol, action, 'request', sealed, seal), payload)
}

/** @returns null where one does not open: that ends nobody else's turn */
function openSecrets(protocol: Protocol, action: string, payload: Payload, vault: Secrets): Payload | null {
  try {
    return mapSecrets(protocol, action, 'request', payload, (value) =>
      vault.isSealed(value) ? vault.open(value) : value,
    )
  } catch {
    return null
  }
}
