import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Egress } from './egress.js'

export interface Posted {
  /** Of HTTP; null where there was no answer. */
  status: number | null
  /** Why it counts for nothing; null for a 2xx. */
  error: string | null
  /** Where the receiver asked to be left alone for so long. */
  retryAfterMs: number | null
}

/** Of an answer; what it says is not read. */
const maxAnswerBytes = 65_536

/**
 * One POST, on a connection of its own, within the time. Follows no redirect: where it leads was never allowed.
 * Never throws: what goes wrong is the result.
 */
export function post(
  address: string,
  message: { headers: Record<string, string>; body: Buffer },
  { egress, timeoutMs }: { egress: Egress; timeoutMs: number },
): Promise<Posted> {
  const fault = egress.findFault(address)
  if (fault !== null) return Promise.resolve(failed(`refused: it has to be ${fault}`))
  const url = new URL(address)
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve) => {
    const request = send(url, {
      method: 'POST',
      headers: { ...message.headers, 'content-length': message.body.length },
      lookup: egress.lookup,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    })
    request.once('response', (response) => {
      let bytes = 0
      response.on('error', () => {})
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxAnswerBytes) response.destroy()
      })
      const { statusCode = 0, headers } = response
      const isTaken = statusCode >= 200 && statusCode < 300
      const retryAfterMs = isTaken ? null : parseRetryAfter(headers['retry-after'])
      resolve({ status: statusCode, error: isTaken ? null : `answered ${statusCode}`, retryAfterMs })
    })
    request.on('error', (cause) => resolve(failed(describe(cause, timeoutMs))))
    request.end(message.body)
  })
}

const failed = (error: string): Posted => ({ status: null, error, retryAfterMs: null })

/** Seconds; a date is not looked at. */
function parseRetryAfter(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : null
}

function describe(cause: Error, timeoutMs: number): string {
  return cause.name === 'AbortError' ? `no answer within ${timeoutMs} ms` : cause.message.slice(0, 500) || cause.name
}
