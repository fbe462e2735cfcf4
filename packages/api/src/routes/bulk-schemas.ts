import type { BulkCommand as BulkCommandRow, Vault } from '@busbar/store'
import { z } from 'zod'
import { nullableTime, stationId, text, time, timeInput, toNullableTime, toTime } from '../schemas.js'
import { maskSealed } from './command-schemas.js'

const maxStations = 10_000

export const BulkCommandDraft = z
  .strictObject({
    name: text(200).optional(),
    group: z.uuid().optional().describe('A station group; just one of `group`, `tag` and `stations`'),
    tag: text(100).optional(),
    stations: z.array(stationId).min(1).max(maxStations).optional(),
    action: text(50).describe("Any that the CSMS sends in the stations' OCPP version"),
    payload: z.record(z.string(), z.unknown()).default({}),
    pacePerMinute: z
      .int()
      .min(1)
      .max(6_000)
      .optional()
      .describe('Stations a minute; unless said, as many as need no approval'),
    jitterSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(600)
      .describe('Each station has its turn later by a random part of it: a fleet that acts as one is felt in the grid'),
    stopAbovePercent: z
      .int()
      .min(0)
      .max(100)
      .nullable()
      .default(20)
      .describe('Stops itself once more than this share of the verdicts are failures; null is never'),
    stopAfter: z
      .int()
      .min(1)
      .max(maxStations)
      .default(10)
      .describe(
        'As long as fewer have a verdict, the share is of so many stations, or of all it is for where these are fewer',
      ),
    commandExpirySeconds: z.int().min(1).max(604_800).default(45).describe('Of the command of each station'),
    expiresAt: timeInput.optional().describe('No station has its turn after it; a day from now unless said'),
  })
  .superRefine(({ group, tag, stations }, context) => {
    if ([group, tag, stations].filter((each) => each !== undefined).length === 1) return
    context.addIssue({ code: 'custom', path: [], message: 'just one of group, tag and stations' })
  })
  .meta({
    examples: [
      {
        group: '01932f6e-0a1b-7c3d-8e4f-5a6b7c8d9e0f',
        action: 'Reset',
        payload: { type: 'Soft' },
        pacePerMinute: 10,
        jitterSeconds: 60,
      },
    ],
  })

export const Reason = z.strictObject({ reason: text(500) }).meta({ examples: [{ reason: 'The grid operator asked' }] })

export const bulkStatus = z
  .enum(['awaiting-approval', 'running', 'stopped', 'completed', 'cancelled', 'denied', 'expired'])
  .describe('`stopped` can be resumed; the last four are final')

const verdict = z
  .enum([
    'waiting',
    'queued',
    'dispatched',
    'accepted',
    'rejected',
    'error',
    'timeout',
    'unknown',
    'undeliverable',
    'expired',
    'refused',
  ])
  .describe('As of its command; `waiting`: its turn is to come; `refused`: there is no command, see `error`')

export const Progress = z.record(z.string(), z.int()).describe('Stations by verdict')

export const BulkCommand = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    action: z.string(),
    payload: z.unknown().describe('Secrets replaced'),
    selection: z.unknown().describe('As asked for; the stations are those it meant then'),
    stations: z.int(),
    pacePerMinute: z.int(),
    jitterSeconds: z.int(),
    stopAbovePercent: z.int().nullable(),
    stopAfter: z.int(),
    commandExpirySeconds: z.int(),
    status: bulkStatus,
    statusReason: z.string().nullable(),
    progress: Progress,
    createdBy: z.string(),
    createdAt: time,
    decidedBy: z.string().nullable().describe('Who approved or denied it; null where nobody had to'),
    startedAt: nullableTime,
    completedAt: nullableTime,
    expiresAt: time,
  })
  .meta({ id: 'BulkCommand' })

export const BulkStation = z
  .object({
    stationId: z.string(),
    verdict,
    commandId: z.string().nullable(),
    error: z.string().nullable(),
    turnAt: nullableTime.describe('When it has its turn at the earliest; null before the start'),
    sentAt: nullableTime,
    completedAt: nullableTime,
  })
  .meta({ id: 'BulkStation' })

export const stationsQuery = { verdict: verdict.optional() }

export const KillSwitch = z
  .object({ engaged: z.boolean(), by: z.string().nullable(), reason: z.string().nullable(), at: nullableTime })
  .meta({ id: 'BulkKillSwitch' })

export function toBulkCommand(
  row: BulkCommandRow,
  progress: Record<string, number>,
  vault: Pick<Vault, 'isSealed'>,
): z.infer<typeof BulkCommand> {
  return {
    id: row.id,
    name: row.name,
    action: row.action,
    payload: maskSealed(row.payload, vault),
    selection: row.selection,
    stations: row.stations,
    pacePerMinute: row.pacePerMinute,
    jitterSeconds: row.jitterSeconds,
    stopAbovePercent: row.stopAbovePercent,
    stopAfter: row.stopAfter,
    commandExpirySeconds: row.commandExpirySeconds,
    status: bulkStatus.parse(row.status),
    statusReason: row.statusReason,
    progress,
    createdBy: row.actor,
    createdAt: toTime(row.createdAt),
    decidedBy: row.decidedBy,
    startedAt: toNullableTime(row.startedAt),
    completedAt: toNullableTime(row.completedAt),
    expiresAt: toTime(row.expiresAt),
  }
}
