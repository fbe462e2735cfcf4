import type { ChargingTransaction, TransactionReading, TransactionStep } from '@busbar/store'
import { z } from 'zod'
import { nullableTime, time, toNullableTime, toTime } from '../schemas.js'

/** What is shown of a transaction in any list. */
export type TransactionRow = Omit<
  ChargingTransaction,
  'naturalKey' | 'tokenId' | 'registers' | 'evidence' | 'corrected' | 'bootCount' | 'lastSeqNo'
>

export const transactionStatus = z.enum(['active', 'ended', 'orphan'])

export const Transaction = z
  .object({
    id: z.string(),
    stationId: z.string(),
    protocol: z.string(),
    ocppId: z
      .string()
      .nullable()
      .describe('What a remote stop names; null where the station never gave it a usable id'),
    evse: z.int().nullable(),
    connector: z.int().nullable(),
    token: z.string().nullable().describe('`***` for a KeyCode'),
    tokenType: z.string().nullable(),
    tokenStatus: z.string().nullable().describe('The first decision on the token that started it'),
    groupId: z.string().nullable(),
    stopToken: z.string().nullable(),
    remoteStartId: z.int().nullable(),
    reservationId: z.int().nullable(),
    status: transactionStatus.describe('`orphan`: evidence without a start'),
    chargingState: z.string().nullable(),
    startedAt: nullableTime,
    endedAt: nullableTime,
    stoppedReason: z.string().nullable(),
    energyWh: z.number().nullable().describe('Null until two readings of one register are known'),
    energySource: z.string().nullable().describe('The register energyWh was taken from'),
    heldReasons: z.array(z.string()).describe('Why it is implausible; such a transaction is not exported'),
    flags: z.array(z.string()),
    createdAt: time.describe('When we first heard of it'),
    updatedAt: time,
  })
  .meta({ id: 'Transaction' })

export const Step = z
  .object({
    kind: z.string(),
    seqNo: z.int().nullable(),
    triggerReason: z.string().nullable(),
    chargingState: z.string().nullable(),
    offline: z.boolean(),
    at: time.describe("The station's time"),
    receivedAt: time,
    payload: z.unknown().describe('As the station sent it, without meter values: these are readings'),
    decided: z.unknown().describe('idTokenInfo or idTagInfo we answered; null for a step without a token'),
    flags: z.array(z.string()),
  })
  .meta({ id: 'TransactionStep' })

/** As the transactions service keeps it. */
const Corrected = z.object({ measuredEnergyWh: z.number().nullable() }).nullable()

const totals = z.object({
  status: transactionStatus,
  startedAt: nullableTime,
  endedAt: nullableTime,
  energyWh: z.number().nullable(),
  heldReasons: z.array(z.string()),
})

export const TransactionCorrection = z
  .object({
    id: z.string(),
    kind: z.enum(['close', 'correct', 'evidence']).describe('`evidence`: the station told more after the end'),
    status: z.enum(['requested', 'applied', 'refused']),
    refusal: z.string().nullable().describe('Why it was refused'),
    actor: z.string().describe('Who: name and id of an API key, or `station`'),
    reason: z.string().describe('In their words'),
    before: totals.nullable(),
    after: totals.nullable().describe('The same as `before` when it was refused; null while nobody decided'),
    at: time,
  })
  .meta({ id: 'TransactionCorrection' })

export const TransactionDetail = Transaction.extend({
  ocppIds: z.array(z.string()).describe('Every id the station knows it by'),
  registers: z.unknown().describe('Earliest and latest reading of each register, exact'),
  lastSeqNo: z.int().nullable(),
  measuredEnergyWh: z.number().nullable().describe('Of the registers alone; an operator may have set another energyWh'),
  corrections: z
    .array(TransactionCorrection)
    .describe("By time: operators' requests, and what the station told after the end"),
}).meta({ id: 'TransactionDetail' })

export const Reading = z
  .object({
    sampledAt: time,
    receivedAt: time,
    evse: z.int(),
    connector: z.int(),
    samples: z.unknown().describe('The sampledValue array as sent'),
  })
  .meta({ id: 'Reading' })

export function toTransaction(row: TransactionRow): z.infer<typeof Transaction> {
  return {
    id: row.id,
    stationId: row.stationId,
    protocol: row.protocol,
    ocppId: row.ocppId,
    evse: row.evseNumber,
    connector: row.connectorNumber,
    token: row.tokenValue,
    tokenType: row.tokenType,
    tokenStatus: row.tokenStatus,
    groupId: row.groupId,
    stopToken: row.stopTokenValue,
    remoteStartId: row.remoteStartId,
    reservationId: row.reservationId,
    status: transactionStatus.parse(row.status),
    chargingState: row.chargingState,
    startedAt: toNullableTime(row.startedAt),
    endedAt: toNullableTime(row.endedAt),
    stoppedReason: row.stoppedReason,
    energyWh: row.energyWh === null ? null : Number(row.energyWh),
    energySource: row.energySource,
    heldReasons: row.heldReasons,
    flags: row.flags,
    createdAt: toTime(row.createdAt),
    updatedAt: toTime(row.updatedAt),
  }
}

/** What the registers say, whatever an operator has set. */
export function measuredEnergyOf({ corrected, energyWh }: ChargingTransaction): number | null {
  const { measuredEnergyWh } = Corrected.parse(corrected) ?? { measuredEnergyWh: energyWh }
  return measuredEnergyWh === null ? null : Number(measuredEnergyWh)
}

export function toStep(row: TransactionStep): z.infer<typeof Step> {
  return {
    kind: row.kind,
    seqNo: row.seqNo,
    triggerReason: row.triggerReason,
    chargingState: row.chargingState,
    offline: row.offline,
    at: toTime(row.at),
    receivedAt: toTime(row.receivedAt),
    payload: row.payload,
    decided: row.decided,
    flags: row.flags,
  }
}

export function toReading(row: TransactionReading): z.infer<typeof Reading> {
  return {
    sampledAt: toTime(row.sampledAt),
    receivedAt: toTime(row.receivedAt),
    evse: row.evseNumber,
    connector: row.connectorNumber,
    samples: row.samples,
  }
}
