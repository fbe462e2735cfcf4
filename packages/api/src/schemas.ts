import { z } from 'zod'

/** Path grammar of the gateway: 1 to 48 printable ASCII characters, space allowed, no `:` `/` `\` `%`. */
export const stationId = z
  .string()
  .regex(/^(?!\.{1,2}$)[ -$&-.0-9;-[\]-~]{1,48}$/, '1 to 48 printable ASCII characters without : / \\ %')
  .describe('The identity in the connection path')

export const stationParams = z.object({ id: stationId })
export const idParams = z.object({ id: z.uuid() })

/** Text that Postgres can hold. */
export function text(maxLength: number) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes('\0'), 'no NUL characters')
}

/** A name or tag of the operator's; a file that lists several parts them by `|`. */
export const label = z
  .string()
  .trim()
  .regex(/^[^|\p{Cc}]{1,64}$/u, '1 to 64 characters without | and control characters')

const earliest = new Date('0001-01-01T00:00:00Z')
const latest = new Date('9999-12-31T23:59:59.999Z')

/** Any zone is read; the handler gets a Date, of which Postgres can hold what we write. */
export const timeInput = z.iso
  .datetime({ offset: true })
  .transform((value) => new Date(value))
  .refine((date) => date >= earliest && date <= latest, 'a time in UTC of the years 1 to 9999')

/** What we write: UTC with milliseconds. */
export const time = z.string().meta({ format: 'date-time' })
export const nullableTime = time.nullable()

export const booleanQuery = z.enum(['true', 'false']).transform((value) => value === 'true')

export const protocol = z.enum(['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'])

/** A span of time; `from` belongs to it, `to` does not. */
export const spanQuery = { from: timeInput.optional(), to: timeInput.optional() }

export function toTime(date: Date): string {
  return date.toISOString()
}

export function toNullableTime(date: Date | null): string | null {
  return date === null ? null : toTime(date)
}

/** Leaves out what the request did not name, so that it stays as it is. */
export function defined<T extends object>(value: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>
  }
}
