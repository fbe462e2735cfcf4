/** Basic credentials as bytes: 1.6 passwords are binary. */
export interface BasicCredentials {
  username: Buffer
  password: Buffer
}

/**
 * Splits at the first colon, before anything is taken for text (RFC 7617; OCPP-J 1.6 §6.2.2).
 * @returns null when the header is missing or is no Basic
 */
export function parseBasic(header: string | undefined): BasicCredentials | null {
  const encoded = header === undefined ? null : /^Basic +([A-Za-z0-9+/_=-]+) *$/i.exec(header)?.[1]
  if (!encoded) return null
  const bytes = Buffer.from(encoded, 'base64')
  const colon = bytes.indexOf(0x3a)
  return colon < 0 ? null : { username: bytes.subarray(0, colon), password: bytes.subarray(colon + 1) }
}

/** An AuthorizationKey sent as the hex digits it is configured with, instead of the bytes they stand for (A00.FR.205). */
export function isHexPassword(header: string | undefined): boolean {
  const password = parseBasic(header)?.password.toString('latin1') ?? ''
  return /^([0-9a-f]{2}){16,20}$/i.test(password)
}

/** 16 bytes are asked for (A00.FR.205). */
export function isShortPassword(header: string | undefined): boolean {
  const password = parseBasic(header)?.password
  return password !== undefined && password.length < 16
}
