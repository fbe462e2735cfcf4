/** What was given is no certificate, request or signature that we can work with; the message says why. */
export class PkiError extends Error {
  override readonly name = 'PkiError'
}
