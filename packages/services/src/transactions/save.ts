import { type Columns, encodeReading, insertInto, type Sql, upsertInto } from '@busbar/store'
import type { ChargingState } from './state.js'

/** The columns of a transaction, in the names of `ChargingTransaction`. */
export const transactionColumns = {
  id: 'uuid',
  stationId: 'text',
  protocol: 'text',
  naturalKey: 'text',
  ocppId: 'text',
  evseNumber: 'int4',
  connectorNumber: 'int4',
  tokenId: 'uuid',
  tokenValue: 'text',
  tokenType: 'text',
  tokenStatus: 'text',
  groupId: 'text',
  stopTokenValue: 'text',
  remoteStartId: 'int4',
  reservationId: 'int4',
  status: 'text',
  chargingState: 'text',
  startedAt: 'timestamptz',
  endedAt: 'timestamptz',
  stoppedReason: 'text',
  registers: 'jsonb',
  energyWh: 'int8',
  energySource: 'text',
  evidence: 'jsonb',
  corrected: 'jsonb',
  heldReasons: 'text[]',
  flags: 'text[]',
  bootCount: 'int4',
  lastSeqNo: 'int4',
  createdAt: 'timestamptz',
  updatedAt: 'timestamptz',
} as const satisfies Columns

export const stepColumns = {
  transactionId: 'uuid',
  stepKey: 'text',
  stationId: 'text',
  connectionId: 'text',
  sequence: 'int8',
  kind: 'text',
  seqNo: 'int4',
  triggerReason: 'text',
  chargingState: 'text',
  offline: 'bool',
  at: 'timestamptz',
  receivedAt: 'timestamptz',
  payload: 'jsonb',
  decided: 'jsonb',
  flags: 'text[]',
} as const satisfies Columns

export const correctionColumns = {
  id: 'uuid',
  transactionId: 'uuid',
  stationId: 'text',
  kind: 'text',
  status: 'text',
  refusal: 'text',
  actor: 'text',
  reason: 'text',
  before: 'jsonb',
  after: 'jsonb',
  at: 'timestamptz',
} as const satisfies Columns

const insertCorrections = insertInto('transaction_correction', correctionColumns)

const upsertTransactions = upsertInto('charging_transaction', transactionColumns, ['id'])

const insertAliases = insertInto(
  'transaction_alias',
  { stationId: 'text', ocppId: 'text', transactionId: 'uuid' },
  'ON CONFLICT DO NOTHING',
)

// What a step says never changes; only which frame said it last, and what became of its answer.
const upsertSteps = upsertInto(
  'transaction_step',
  stepColumns,
  ['transactionId', 'stepKey'],
  ['connectionId', 'sequence', 'flags'],
)

const insertReadings = insertInto('meter_reading', {
  sampledAt: 'timestamptz',
  receivedAt: 'timestamptz',
  transactionId: 'uuid',
  stationId: 'text',
  reading: 'bytea',
})

/** What a batch changed, one statement per table. */
export function saveState(state: ChargingState): Sql[] {
  return [
    ...write(upsertTransactions, [...state.changedTransactions]),
    ...write(insertAliases, state.newAliases),
    ...write(upsertSteps, [...state.changedSteps]),
    ...write(insertCorrections, state.newCorrections),
    ...state.packing.save(),
    ...write(
      insertReadings,
      state.newReadings.map((row) => ({ reading: encodeReading(row), ...row })),
    ),
  ]
}

function write<Row>(statement: (rows: readonly Row[]) => Sql, rows: readonly Row[]): Sql[] {
  return rows.length === 0 ? [] : [statement(rows)]
}
