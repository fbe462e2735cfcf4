import type { ToleranceKind } from '../../pipeline/tolerances.js'
import type { PresentedToken } from '../authorization.js'

export type Switches = Readonly<Record<string, unknown>>

/** An idTag as a station means it, by its switches. */
export function readIdTag(idTag: string, switches: Switches): { presented: PresentedToken; quirks: ToleranceKind[] } {
  if (idTag.trim() === '' && switches.acceptEmptyIdTag === true) {
    return { presented: { value: '', type: 'NoAuthorization' }, quirks: ['id-tag-empty'] }
  }
  const short = beforeUnderscore(idTag)
  if (short !== null && switches.idTagBeforeUnderscore === true) {
    return { presented: { value: short, type: null }, quirks: ['id-tag-suffix'] }
  }
  return { presented: { value: idTag, type: null }, quirks: [] }
}

/** All that it may stand for, whatever the switches. */
export function idTagCandidates(idTag: string): string[] {
  const short = beforeUnderscore(idTag)
  return short === null ? [idTag] : [idTag, short]
}

function beforeUnderscore(idTag: string): string | null {
  const end = idTag.indexOf('_')
  return end > 0 ? idTag.slice(0, end) : null
}
