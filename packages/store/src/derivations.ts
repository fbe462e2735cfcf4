import { type ScryptOptions, scrypt } from 'node:crypto'
import { UnavailableError } from './errors.js'

/** Of the four threads Node has for files, DNS and cryptography. */
const atOnce = 2
/** Beyond it a suspect is turned away instead of waiting. */
const maxSuspects = 100

/** `suspect`: has given wrong passwords lately. Waits for all others, and never holds all threads. */
export type Standing = 'clean' | 'suspect'

const waiting: Record<Standing, (() => void)[]> = { clean: [], suspect: [] }
const running: Record<Standing, number> = { clean: 0, suspect: 0 }

/**
 * Scrypt is dear on purpose, so whoever guesses passwords could keep everybody else waiting.
 * @throws UnavailableError when too many suspects wait already
 */
export async function deriveScrypt(
  password: Buffer,
  salt: Buffer,
  length: number,
  options: ScryptOptions,
  standing: Standing = 'clean',
): Promise<Buffer> {
  if (standing === 'suspect' && waiting.suspect.length >= maxSuspects) {
    throw new UnavailableError('Too many passwords wait to be checked')
  }
  if (mayRun(standing)) running[standing] += 1
  else await new Promise<void>((resolve) => waiting[standing].push(resolve))
  try {
    return await new Promise((resolve, reject) => {
      scrypt(password, salt, length, options, (error, key) => (error ? reject(error) : resolve(key)))
    })
  } finally {
    running[standing] -= 1
    startNext('clean')
    startNext('suspect')
  }
}

function mayRun(standing: Standing): boolean {
  if (running.clean + running.suspect >= atOnce) return false
  return standing === 'clean' || (running.suspect === 0 && waiting.clean.length === 0)
}

function startNext(standing: Standing): void {
  if (!mayRun(standing)) return
  const next = waiting[standing].shift()
  if (!next) return
  running[standing] += 1
  next()
}
