export {
  type Database,
  type DatabaseConfig,
  dbTransaction,
  type OpenDatabase,
  openDatabase,
  type PoolUse,
  type Session,
  type SessionLimits,
  type Sql,
} from './database.js'
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresConfig,
  EmbeddedPostgresError,
  findEmbeddedPostgres,
  startEmbeddedPostgres,
} from './embedded-postgres.js'
export { DataError, OffsetConflictError, toStoreError, UnavailableError } from './errors.js'
export type * from './generated/prisma/client.js'
export { Prisma } from './generated/prisma/client.js'
export {
  type IdTag,
  type ListChange,
  type ListItem,
  selectIdTags,
  selectListChanges,
  selectUsableIdTags,
  toAuthorizationData,
} from './id-tags.js'
export { type MigrateOptions, type Migration, MigrationError, migrate } from './migrate.js'
export { earliestId, newId } from './new-id.js'
export { deleteOldRows, type RowRetention } from './old-rows.js'
export { ensurePartitions, type Retention } from './partitions.js'
export { packReadings, type StoredReading, unpackReadings } from './readings/pack.js'
export { inOrder, type ReadingPlace, readReadings, type TransactionReading } from './readings/read.js'
export { decodeReading, encodeReading, type Reading } from './readings/reading.js'
export { inRounds } from './rounds.js'
export {
  type Columns,
  type ColumnTypes,
  deleteFrom,
  insertInto,
  overRows,
  type Row,
  selectFrom,
  sql,
  updateRows,
  upsertInto,
} from './rows.js'
export { createTestDatabase, type TestDatabase } from './testing.js'
export { type BreakableNetwork, type Fate, type NetworkOptions, startNetwork } from './testing-network.js'
export { Vault } from './vault.js'
export { findPostgresWeaknesses } from './weaknesses.js'
