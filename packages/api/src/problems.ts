import { STATUS_CODES } from 'node:http'
import { redactUrl } from '@busbar/ocpp'
import { DataError, toStoreError, UnavailableError } from '@busbar/store'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { z } from 'zod'

/** One wrong value: `pointer` leads into the body (JSON pointer), `parameter` names one of path, query or header. */
export interface Fault {
  detail: string
  pointer?: string
  parameter?: string
}

export const Problem = z
  .object({
    type: z.string().describe('What kind of problem; `about:blank` when the status says it all'),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    errors: z
      .array(z.object({ detail: z.string(), pointer: z.string().optional(), parameter: z.string().optional() }))
      .optional()
      .describe('Every wrong value of the request'),
  })
  .meta({ id: 'Problem', description: 'Problem details, RFC 9457' })

export const problemType = 'application/problem+json'

/** An answer other than the one asked for (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly statusCode: number
  readonly faults: readonly Fault[]
  readonly headers: Readonly<Record<string, string>>

  constructor(
    statusCode: number,
    detail: string,
    options: { faults?: readonly Fault[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause })
    this.statusCode = statusCode
    this.faults = options.faults ?? []
    this.headers = options.headers ?? {}
  }

  toBody(): z.infer<typeof Problem> {
    return {
      type: 'about:blank',
      title: STATUS_CODES[this.statusCode] ?? 'Error',
      status: this.statusCode,
      detail: this.message,
      ...(this.faults.length > 0 ? { errors: [...this.faults] } : {}),
    }
  }
}

export function notFound(what: string): ProblemError {
  return new ProblemError(404, `There is no such ${what}.`)
}

/** @returns the record asked for. @throws ProblemError 404 when there is none */
export function found<T>(record: T | null | undefined, what: string): T {
  if (record === null || record === undefined) throw notFound(what)
  return record
}

/** Fastify's error handler: every failure becomes problem details; our own faults are logged and not told. */
export function sendProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.statusCode >= 500) {
    const level = problem.statusCode === 503 ? 'warn' : 'error'
    request.log[level]({ err: error, method: request.method, url: redactUrl(request.url) }, 'request failed')
  }
  return reply
    .code(problem.statusCode)
    .headers(problem.headers)
    .type(problemType)
    .send(JSON.stringify(problem.toBody()))
}

export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (hasZodFastifySchemaValidationErrors(error)) {
    const inBody = error.validationContext === 'body'
    return new ProblemError(400, `The request's ${error.validationContext ?? 'content'} is not as described.`, {
      faults: error.validation.map(({ instancePath, message }) => ({
        detail: message ?? 'invalid',
        ...(inBody ? { pointer: instancePath === '/' ? '' : instancePath } : { parameter: instancePath.slice(1) }),
      })),
    })
  }
  return toDatabaseProblem(error) ?? toHttpProblem(error)
}

function toHttpProblem(error: unknown): ProblemError {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (error instanceof Error && status >= 400 && status < 500) return new ProblemError(status, error.message)
  return new ProblemError(500, 'Something went wrong on our side; it was logged.', { cause: error })
}

function toDatabaseProblem(thrown: unknown): ProblemError | null {
  const cause = toStoreError(thrown)
  if (cause instanceof UnavailableError) {
    const headers = { 'retry-after': '5' }
    const detail = 'The database or the message path cannot be reached now, or needs too long for this.'
    return new ProblemError(503, detail, { headers, cause })
  }
  if (cause instanceof DataError) {
    if (cause.code === '23505') return new ProblemError(409, 'A record with this identity exists.', { cause })
    if (cause.code === '23503') return new ProblemError(422, 'It names a record that does not exist.', { cause })
    return new ProblemError(422, 'The database cannot hold one of the values.', { cause })
  }
  const code = cause instanceof Error && 'code' in cause ? cause.code : null
  return code === recordNotFound ? new ProblemError(404, 'There is no such record.', { cause }) : null
}

/** Prisma: a record to change or delete was not there. */
const recordNotFound = 'P2025'
