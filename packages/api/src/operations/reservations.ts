import { type Database, type IdTag, selectIdTags } from '@busbar/store'
import { z } from 'zod'
import { type Fault, ProblemError } from '../problems.js'
import { findConfigurationEntries } from '../routes/configuration.js'
import { text, timeInput } from '../schemas.js'
import { type OperationContext, operation } from './operation.js'

const tag = 'Reservations'

/** OCPP's integers have 32 bits. */
const reservationId = z.int32().describe('Drawn by Busbar unless named')

const Reserve = z
  .strictObject({
    connector: z.int().min(0).max(65_535).describe('Of OCPP 1.6: the first is 1; 0 is any of the station'),
    token: z.string().trim().min(1).max(255).describe('A registered token, in any letter case'),
    group: text(20)
      .optional()
      .describe('Its other tokens may use the reservation as well; default: the group of the token'),
    expiresAt: timeInput.optional(),
    minutes: z.int().min(1).max(525_600).optional().describe('From now, instead of expiresAt'),
    reservationId: reservationId.optional().describe('One that the station holds is replaced; default: a new one'),
  })
  .refine(({ expiresAt, minutes }) => (expiresAt === undefined) !== (minutes === undefined), {
    error: 'name either expiresAt or minutes',
    path: ['expiresAt'],
  })

export const reservationOperations = [
  operation({
    path: 'reservations',
    tag,
    summary: 'Reserve a connector for a token',
    description:
      'The station decides: a connector that is in use, out of order or reserved is asked for all the same. When it expires nothing is sent: the station ends it by its own clock, Busbar by its own.',
    body: Reserve,
    example: { connector: 1, token: '04E91A2B3C4D80', minutes: 15 },
    build: {
      'ocpp1.6': async (body, context) => {
        const { now } = context
        const facts = await loadFacts(body, context)
        const expiresAt = body.expiresAt ?? new Date(now.getTime() + (body.minutes ?? 0) * 60_000)
        const faults = findFaults(body, facts, expiresAt, now)
        if (faults.length > 0) throw new ProblemError(422, 'This cannot be reserved.', { faults })
        const parentIdTag = body.group ?? facts.token?.parentIdTag ?? null
        return {
          action: 'ReserveNow',
          payload: {
            connectorId: body.connector,
            expiryDate: expiresAt.toISOString(),
            idTag: facts.token?.idTag ?? body.token,
            ...(parentIdTag !== null && { parentIdTag }),
            ...(body.reservationId !== undefined && { reservationId: body.reservationId }),
          },
          warnings: findWarnings(body, facts, expiresAt),
        }
      },
    },
  }),

  operation({
    path: 'reservations/cancel',
    tag,
    summary: 'Cancel a reservation',
    description: 'Any id can be named; the station refuses one that it does not hold.',
    body: z.strictObject({ reservationId: z.int32().describe('As in `GET /v1/stations/:id/reservations`') }),
    example: { reservationId: 17 },
    build: {
      'ocpp1.6': async ({ reservationId: named }, { database, station }) => {
        const held = await findHeld(database, station.id, named)
        const warnings = held ? [] : ['Busbar knows no open reservation of this id at this station.']
        return { action: 'CancelReservation', payload: { reservationId: named }, warnings }
      },
    },
  }),
]

interface Facts {
  token: IdTag | null
  /** False where the station has said so. */
  takesConnector0: boolean
  isReplacing: boolean
}

async function loadFacts(body: z.output<typeof Reserve>, { database, station, now }: OperationContext): Promise<Facts> {
  const [tokens, keys, held] = await Promise.all([
    database.query<IdTag>(selectIdTags([body.token], now)),
    body.connector === 0 ? findConfigurationEntries(database, station.id, 'ReserveConnectorZeroSupported') : [],
    body.reservationId === undefined ? false : findHeld(database, station.id, body.reservationId),
  ])
  return {
    token: tokens[0] ?? null,
    takesConnector0: !keys.some(({ value }) => value?.trim().toLowerCase() === 'false'),
    isReplacing: held,
  }
}

function findFaults(
  { token: asked, minutes }: z.output<typeof Reserve>,
  { token, takesConnector0 }: Facts,
  expiresAt: Date,
  now: Date,
): Fault[] {
  return [
    ...(expiresAt <= now
      ? [{ detail: 'is in the past', pointer: minutes === undefined ? '/expiresAt' : '/minutes' }]
      : []),
    ...(token === null
      ? [
          {
            detail:
              asked.length > 20
                ? 'OCPP 1.6 carries tokens of at most 20 characters'
                : 'is no registered token for OCPP 1.6',
            pointer: '/token',
          },
        ]
      : []),
    ...(takesConnector0
      ? []
      : [
          {
            detail: 'the station has said that it reserves no connector 0 (ReserveConnectorZeroSupported)',
            pointer: '/connector',
          },
        ]),
  ]
}

function findWarnings({ group }: z.output<typeof Reserve>, { token, isReplacing }: Facts, expiresAt: Date): string[] {
  const endsBefore = token?.status === 'Accepted' && token.expiresAt !== null && token.expiresAt < expiresAt
  return [
    ...(token?.status === 'Blocked' ? ['The token is blocked.'] : []),
    ...(token?.status === 'Expired' ? ['The token has expired.'] : []),
    ...(endsBefore ? ['The token expires before the reservation does.'] : []),
    ...(group !== undefined && group.toLowerCase() !== token?.parentIdTag?.toLowerCase()
      ? ['The token is not of this group.']
      : []),
    ...(isReplacing ? ['The station holds a reservation of this id: it is replaced.'] : []),
  ]
}

/** Never one of another station: its ids are the station's own (T13). */
async function findHeld(database: Database, stationId: string, id: number): Promise<boolean> {
  const where = { stationId, reservationId: id, state: { in: ['requested', 'active', 'unknown'] } }
  return (await database.prisma.reservation.count({ where })) > 0
}
