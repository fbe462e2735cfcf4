import { controlOperations } from './control.js'
import type { RegisterOperation } from './operation.js'

/** Every typed endpoint that sends a command. */
export const operations: readonly RegisterOperation[] = [...controlOperations]
