import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Caller } from './access.js'
import type { Authorities } from './authenticate.js'
import type { BulkLock } from './bulk/lock.js'
import type { SwitchLimit } from './bulk/switch-limit.js'
import type { CommandBooks } from './command-books.js'
import type { EventStream } from './events/stream.js'
import type { FileAddresses } from './files/addresses.js'
import type { ApiConfig, ApiPorts } from './ports.js'
import type { Verdicts } from './verdicts.js'

/** What routes are put on. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** What routes share beyond their ports. */
export interface RouteContext extends ApiPorts {
  config: ApiConfig
  authorities: Authorities
  events: EventStream
  addresses: FileAddresses
  bulkLock: BulkLock
  switchLimit: SwitchLimit
  commandBooks: CommandBooks
  verdicts: Verdicts
  /** Sends what a commit left in the outbox. */
  pokeOutbox(): void
  /** Aborts when the API stops: waits end, streams close. */
  closing: AbortSignal
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null
  }
  interface FastifyContextConfig {
    /** Problems of this endpoint beyond those that all have. */
    problems?: readonly number[]
    /** Its requests are files, which take their time. */
    takesFile?: boolean
  }
}
