import type { Payload } from '@busbar/ocpp'
import { type Authorization, maskedToken, type PresentedToken, storedTokenValue } from './authorization.js'
import type { KeptToken } from './transaction.js'

export function keepToken(presented: PresentedToken, { status, token }: Authorization): KeptToken {
  return {
    id: token?.id ?? null,
    value: storedTokenValue(presented, token),
    type: token?.type ?? presented.type,
    status,
    groupId: token?.groupId ?? null,
  }
}

/** A payload as it is stored: a key code masked, meter values left to their own rows. */
export function toStoredPayload(payload: Payload, token: KeptToken | null): Payload {
  const { meterValue: _, transactionData: __, ...rest } = payload
  if (token?.value !== maskedToken) return rest
  return {
    ...rest,
    ...('idTag' in rest && { idTag: maskedToken }),
    ...('idToken' in rest && { idToken: { idToken: maskedToken, type: token.type } }),
  }
}
