import type { v16, v201 } from '@busbar/ocpp'

/** A token as a station presents it. `type` is null on 1.6, whose idTag has none. */
export interface PresentedToken {
  value: string
  /** IdTokenEnumType of OCPP 2.0.1 */
  type: string | null
}

/** A token as the operator registered it, with its group. */
export interface Token {
  id: string
  value: string
  foldedValue: string
  type: string
  /** accepted | blocked */
  status: string
  expiresAt: Date | null
  groupId: string | null
  masterPass: boolean
  /** Transactions at once; null is no limit. */
  maxTransactions: number | null
  language: string | null
}

/** The statuses of 2.0.1; 1.6 knows `Unknown` only as `Invalid`. */
export type TokenStatus = 'Accepted' | 'Blocked' | 'Expired' | 'Unknown' | 'Invalid' | 'ConcurrentTx'

/** What is decided about a presented token; the answer of either version is made of it. */
export interface Authorization {
  status: TokenStatus
  token: Token | null
}

/**
 * An idTag may be any of these; the first wins where one value is registered under several types. NoAuthorization is
 * missing: it has no value, and an idTag of 1.6 always claims to be someone.
 */
const typesOf16 = ['ISO14443', 'ISO15693', 'Central', 'Local', 'MacAddress', 'eMAID', 'KeyCode']

/** Values are compared without case (OCPP 1.6 §7.28 IdToken; OCPP 2.0.1 part 2 §2.28). */
export function foldToken(value: string): string {
  return value.trim().toLowerCase()
}

/** @param tokens those registered under the folded value, of all types */
export function findToken(presented: PresentedToken, tokens: readonly Token[]): Token | null {
  const types = presented.type === null ? typesOf16 : [presented.type]
  for (const type of types) {
    const token = tokens.find((each) => each.type === type)
    if (token) return token
  }
  return null
}

/**
 * Decides about a token, apart from how many transactions it runs.
 * @see OCPP 2.0.1 C01, C02.FR.02, C04.FR.01, C16; OCPP 1.6 §4.1
 */
export function authorize(presented: PresentedToken, tokens: readonly Token[], now: Date): Authorization {
  if (presented.type === 'NoAuthorization') return { status: 'Accepted', token: null }
  const token = findToken(presented, tokens)
  if (!token) return { status: presented.type === 'KeyCode' ? 'Invalid' : 'Unknown', token: null }
  if (token.status !== 'accepted') return { status: 'Blocked', token }
  if (token.expiresAt && token.expiresAt <= now) return { status: 'Expired', token }
  return { status: 'Accepted', token }
}

/**
 * A master pass stops other people's transactions and starts none of its own, so it is never one too many.
 * @param running transactions this token runs, without the one it is presented for
 */
export function limitConcurrency(authorization: Authorization, running: number): Authorization {
  const { status, token } = authorization
  if (status !== 'Accepted' || !token || token.maxTransactions === null || token.masterPass) return authorization
  return running < token.maxTransactions ? authorization : { status: 'ConcurrentTx', token }
}

/** As registered; for tokens nobody knows as sent. null for those that must not be written down. */
export function storedTokenValue(presented: PresentedToken, token: Token | null): string | null {
  const type = token?.type ?? presented.type
  if (type === 'NoAuthorization') return null
  // Whatever its letter case: what a sloppy station says of a secret is a secret.
  return type?.toLowerCase() === 'keycode' ? maskedToken : (token?.value ?? presented.value)
}

/** Stands for a key code wherever one would be stored, logged or sent on (C04.FR.04). */
export const maskedToken = '***'

/** idTagInfo of 1.6. @see OCPP 1.6 §7.27 */
export function toIdTagInfo({ status, token }: Authorization): v16.AuthorizeResponse['idTagInfo'] {
  return {
    status: status === 'Unknown' ? 'Invalid' : status,
    // CiString20: a longer id would make the whole answer invalid.
    ...(token?.groupId && token.groupId.length <= 20 && { parentIdTag: token.groupId }),
    ...(token?.expiresAt && { expiryDate: token.expiresAt.toISOString() }),
  }
}

/** IdTokenInfoType of 2.0.1. @see OCPP 2.0.1 part 2 §2.27 */
export function toIdTokenInfo({ status, token }: Authorization): v201.IdTokenInfoType {
  return {
    status,
    ...(token?.groupId && token.groupId.length <= 36 && { groupIdToken: { idToken: token.groupId, type: 'Central' } }),
    ...(token?.expiresAt && { cacheExpiryDateTime: token.expiresAt.toISOString() }),
    ...(token?.language && token.language.length <= 8 && { language1: token.language }),
  }
}
