import { type Logger, pino } from 'pino'

/** Beyond what JSON escapes: control characters of terminals, ends of lines, and what hides or turns the text around it. */
const unprintable = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

const toEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** The process's log: JSON, a line each, and printable, whatever a station brought into it. */
export function openLog(level: string): Logger {
  return pino({ level, hooks: { streamWrite: (line) => line.replace(unprintable, toEscape) } })
}
