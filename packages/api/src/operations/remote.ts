import { type IdTag, selectIdTags } from '@busbar/store'
import { z } from 'zod'
import { found, ProblemError } from '../problems.js'
import { ProfileDraft, toChargingProfile16 } from './charging-profile.js'
import { connector } from './control.js'
import { type OperationContext, operation } from './operation.js'

const tag = 'Remote start and stop'

/** @see OCPP 1.6 §7.28: CiString20Type */
const maxIdTagLength = 20

export const remoteOperations = [
  operation({
    path: 'remote-start',
    tag,
    summary: 'Start a transaction for a token',
    description:
      'Without a connector the station chooses one. A token that is not registered, blocked or expired is sent with a warning: when the station starts, it is decided on like any other.',
    body: z.strictObject({
      token: z.string().trim().min(1).max(255).describe('In any letter case; sent as it is registered'),
      connector: connector.optional(),
      chargingProfile: ProfileDraft.optional().describe('Of purpose TxProfile; holds for the transaction that starts'),
    }),
    example: { token: '04E91A2B3C4D80', connector: 1 },
    build: {
      'ocpp1.6': async ({ token, connector, chargingProfile: draft }, context) => {
        const { idTag, warnings } = await toIdTag(token, context)
        const built = draft && (await toChargingProfile16(draft, { ...context, use: 'remote-start', connector }))
        return {
          action: 'RemoteStartTransaction',
          payload: {
            idTag,
            ...(connector !== undefined && { connectorId: connector }),
            ...(built?.profile && { chargingProfile: built.profile }),
          },
          warnings: [...warnings, ...(built?.warnings ?? [])],
        }
      },
    },
  }),

  operation({
    path: 'remote-stop',
    tag,
    summary: 'Stop a transaction',
    description: "By Busbar's own id of it, or by the id that the station knows.",
    body: z.union([
      z.strictObject({ transaction: z.uuid().describe('As in `GET /v1/transactions`') }),
      z.strictObject({ transactionId: z.int().describe('Of OCPP, as the station was told') }),
    ]),
    example: { transaction: '0199f4c8-7d3a-7c11-9d2e-3f1f0a6b8c55' },
    build: {
      'ocpp1.6': async (body, context) => ({
        action: 'RemoteStopTransaction',
        ...('transaction' in body
          ? await toOcppId(body.transaction, context)
          : await toWarned(body.transactionId, context)),
      }),
    },
  }),
]

/** A token as 1.6 sends it. @throws ProblemError 422 for one too long for that */
async function toIdTag(token: string, { database, now }: OperationContext) {
  const [known] = await database.query<IdTag>(selectIdTags([token], now))
  const idTag = known?.idTag ?? token
  if (idTag.length > maxIdTagLength) {
    throw new ProblemError(422, 'OCPP 1.6 carries tokens of at most 20 characters.', {
      faults: [{ detail: `${idTag.length} characters`, pointer: '/token' }],
    })
  }
  return { idTag, warnings: warnings[known?.status ?? 'Unknown'] }
}

const warnings: Readonly<Record<IdTag['status'] | 'Unknown', string[]>> = {
  Accepted: [],
  Blocked: ['The token is blocked.'],
  Expired: ['The token has expired.'],
  Unknown: ['The token is not registered.'],
}

async function toOcppId(transaction: string, { database, station }: OperationContext) {
  const row = await database.prisma.chargingTransaction.findFirst({
    where: { id: transaction, stationId: station.id },
    select: { ocppId: true, status: true },
  })
  const { ocppId, status } = found(row, 'transaction of this station')
  if (ocppId === null || !/^-?\d{1,10}$/.test(ocppId)) {
    throw new ProblemError(
      422,
      'The station was never told an id for this transaction, so it cannot be asked to stop it.',
    )
  }
  const warnings = status === 'ended' ? ['The transaction has ended already.'] : []
  return { payload: { transactionId: Number(ocppId) }, warnings }
}

async function toWarned(transactionId: number, { database, station }: OperationContext) {
  const known = await database.prisma.transactionAlias.findFirst({
    where: { stationId: station.id, ocppId: String(transactionId) },
    select: { ocppId: true },
  })
  const warnings = known ? [] : ['This station has no transaction of this id.']
  return { payload: { transactionId }, warnings }
}
