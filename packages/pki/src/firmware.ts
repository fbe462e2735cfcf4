import { constants, createVerify, X509Certificate } from 'node:crypto'
import { PkiError } from './errors.js'
import { readPem } from './pem.js'

/**
 * Whether a firmware file is signed by the holder of a signing certificate: RSA-PSS, RSA PKCS #1 v1.5 or ECDSA, over
 * SHA-256 of the whole file. ECSchnorr, which the standard also names, no library of ours knows.
 *
 * @param firmware the file in pieces, read once
 * @param signature base64
 * @param certificate PEM
 * @throws PkiError when certificate or signature cannot be read, or the key is of another kind
 * @see OCPP 1.6 security white paper L01.FR.04, A00.FR.706
 */
export async function verifyFirmwareSignature(
  firmware: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signature: string,
  certificate: string,
): Promise<boolean> {
  const key = readKey(certificate)
  const bytes = readSignature(signature)
  const isRsa = key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss'
  if (!isRsa && key.asymmetricKeyType !== 'ec') throw new PkiError('The signing certificate has no RSA or EC key')

  const attempts = isRsa
    ? [constants.RSA_PKCS1_PSS_PADDING, constants.RSA_PKCS1_PADDING].map((padding) => ({ key, padding }))
    : [{ key }]
  const verifiers = attempts.map(() => createVerify('sha256'))
  for await (const piece of firmware) for (const verifier of verifiers) verifier.update(piece)
  return attempts.some((attempt, index) => {
    // A key bound to PSS refuses the other padding outright.
    if (key.asymmetricKeyType === 'rsa-pss' && index > 0) return false
    return verifiers[index]?.verify(attempt, bytes) ?? false
  })
}

function readKey(certificate: string) {
  const [der] = readPem(certificate, ['CERTIFICATE'])
  try {
    return new X509Certificate(der ?? '').publicKey
  } catch (cause) {
    throw new PkiError('The signing certificate cannot be read', { cause })
  }
}

function readSignature(signature: string): Buffer {
  const base64 = signature.replace(/\s/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new PkiError('The signature is not base64')
  return Buffer.from(base64, 'base64')
}
