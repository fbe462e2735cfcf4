import { PkiError } from './errors.js'

/**
 * One PEM block as everybody reads it: lines of 64 characters, ended by LF alone, which some stations insist on.
 * @returns with a line end behind the last line
 */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/**
 * The blocks of a text, whatever its line ends; text between them is passed over.
 * @param labels as after BEGIN: 'CERTIFICATE'
 * @throws PkiError when there is none, or one is cut short
 */
export function readPem(text: string, labels: readonly string[]): Buffer[] {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g)]
  const found = blocks.flatMap(([, label = '', base64 = '']) =>
    labels.includes(label) ? [Buffer.from(base64, 'base64')] : [],
  )
  const begun = text.split('-----BEGIN ').length - 1
  if (found.length === 0 || begun !== blocks.length) throw new PkiError(`There is no ${labels[0]} in PEM`)
  return found
}
