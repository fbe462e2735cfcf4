/** What we lean on is down or busy, or gave no word whether it committed; the input stays and is tried again. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

/** Postgres refuses this data, and will again: value out of range, key taken, constraint broken. */
export class DataError extends Error {
  override readonly name = 'DataError'
  /** SQLSTATE, 22xxx or 23xxx. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Another worker moved the offsets since we read them: a partition is no longer ours. Nothing was committed. */
export class OffsetConflictError extends Error {
  override readonly name = 'OffsetConflictError'
}

/** Raised by the function `advance_offsets` of the migrations. */
const offsetConflict = 'BB001'

/**
 * SQLSTATEs that pass by themselves. 08 connection, 40 lost a race, 53 out of resources, 55P03 lock timeout, 57014
 * statement timeout, 57P server going or coming, 25006 a standby before it is promoted, 58 disk trouble.
 */
const passing = /^(08...|40...|53...|55P03|57014|57P0.|25006|58...)$/

/** Of Node's sockets and name look-ups. */
const socketLost = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTCONN',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/** What pg and its pool say of a lost or late connection, in whole: they give these errors neither a code nor a class. */
const driverSays = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'timeout expired',
])

/** Prisma's own codes for the same: not reachable, timed out, closed, no connection free, lost a race. */
const prismaPassing = /^P(1001|1002|1008|1017|2024|2028|2034|2037)$/

/** Of the adapter, which wraps a lost socket. */
const adapterPassing = /^(DatabaseNotReachable|ConnectionClosed|SocketTimeout)$/

/**
 * Sorts an error of pg or Prisma by what the caller does with it: by its code, where it has one.
 * @returns UnavailableError, DataError or OffsetConflictError with the cause kept; any other error as it came: a bug
 */
export function toStoreError(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof UnavailableError) return cause
  const wrapped = adapterCause(cause)
  const code = wrapped?.originalCode ?? ('code' in cause && typeof cause.code === 'string' ? cause.code : '')
  if (code === offsetConflict) return new OffsetConflictError(cause.message, { cause })
  if (isPartitionMoved(cause, code)) return new UnavailableError(cause.message, { cause })
  if (/^2[23]...$/.test(code)) return new DataError(code, cause.message, { cause })
  const unavailable =
    passing.test(code) ||
    prismaPassing.test(code) ||
    adapterPassing.test(wrapped?.kind ?? '') ||
    socketLost.has(code) ||
    (code === '' && cause.name === 'Error' && driverSays.has(cause.message))
  return unavailable ? new UnavailableError(cause.message || code, { cause }) : cause
}

/**
 * A row that had chosen its partition when another was made for it; the next attempt finds the right one. A check
 * constraint has the same SQLSTATE and a name.
 */
const isPartitionMoved = (error: object, code: string) =>
  code === '23514' && !('constraint' in error && typeof error.constraint === 'string')

/** Prisma keeps what the driver said, SQLSTATE included, inside `meta`. */
function adapterCause(error: Error): { kind?: string; originalCode?: string } | undefined {
  if (!('meta' in error)) return undefined
  const meta = error.meta as { driverAdapterError?: { cause?: { kind?: string; originalCode?: string } } } | undefined
  return meta?.driverAdapterError?.cause
}
