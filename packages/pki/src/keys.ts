import type { KeyObject } from 'node:crypto'

export interface KeyInfo {
  type: 'RSA' | 'EC' | 'other'
  /** Of the modulus, or of the curve's field; 0 where it is not known. */
  bits: number
}

/** Sizes of the curves by OpenSSL's names. */
const curveBits: Readonly<Record<string, number>> = {
  secp224r1: 224,
  prime256v1: 256,
  secp256k1: 256,
  secp384r1: 384,
  secp521r1: 521,
  brainpoolP256r1: 256,
  brainpoolP384r1: 384,
  brainpoolP512r1: 512,
}

export function toKeyInfo(key: KeyObject): KeyInfo {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return { type: 'RSA', bits: modulusLength ?? 0 }
    case 'ec':
      return { type: 'EC', bits: curveBits[namedCurve ?? ''] ?? 0 }
    default:
      return { type: 'other', bits: 0 }
  }
}

/** @see OCPP 1.6 security white paper A00.FR.502, A00.FR.503 */
export function isStrongKey({ type, bits }: KeyInfo): boolean {
  return (type === 'RSA' && bits >= 2048) || (type === 'EC' && bits >= 224)
}
