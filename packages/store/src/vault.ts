import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  type ScryptOptions,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'

const sealedPrefix = 'sealed:v1:'
const hmacPrefix = 'hmac:v1:'
const scryptPrefix = 'scrypt:'
const nonceBytes = 12
const tagBytes = 16

/** Calls the work at once or later, and gives what came of it. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Seals secrets and hashes passwords of stations. All keys come from one master secret that is kept outside the
 * database, so a copy of the database alone opens nothing.
 */
export class Vault {
  readonly #sealKey: Buffer
  readonly #hashKey: Buffer
  readonly #signKey: Buffer
  readonly #linkKey: Buffer
  /** By foreign hash: the password that was right, as we hash our own. A storm of stations coming back costs little then. */
  readonly #proven = new Map<string, Buffer>()

  /** @throws Error when the secret is empty */
  constructor(masterSecret: string) {
    if (masterSecret === '') throw new Error('The master secret is empty')
    this.#sealKey = derive(masterSecret, 'busbar seal v1')
    this.#hashKey = derive(masterSecret, 'busbar station password v1')
    this.#signKey = derive(masterSecret, 'busbar signature v1')
    this.#linkKey = derive(masterSecret, 'busbar audit chain v1')
  }

  /** @returns `sealed:v1:` and base64url of nonce, ciphertext and tag (AES-256-GCM); never twice the same */
  seal(clear: string): string {
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, nonce)
    const sealed = Buffer.concat([nonce, cipher.update(clear, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return sealedPrefix + sealed.toString('base64url')
  }

  /** @throws Error when it was not sealed, was changed, or was sealed with another master secret */
  open(sealed: string): string {
    if (!this.isSealed(sealed)) throw new Error('Not a sealed value')
    const bytes = Buffer.from(sealed.slice(sealedPrefix.length), 'base64url')
    if (bytes.length < nonceBytes + tagBytes) throw new Error('A sealed value was cut short')
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, bytes.subarray(0, nonceBytes))
    decipher.setAuthTag(bytes.subarray(-tagBytes))
    try {
      return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
    } catch (cause) {
      throw new Error('A sealed value does not open: it was changed, or the master secret is another', { cause })
    }
  }

  isSealed(text: string): boolean {
    return text.startsWith(sealedPrefix)
  }

  /**
   * For passwords we made, which nobody can guess: a keyed hash is enough and costs a gateway microseconds.
   * @returns `hmac:v1:` and base64url of HMAC-SHA-256
   */
  hashPassword(password: string | Buffer): string {
    return hmacPrefix + this.#hmac(toBytes(password)).toString('base64url')
  }

  /** For passwords from elsewhere, which may be weak. About 60 ms on another thread. */
  async hashForeignPassword(password: string | Buffer): Promise<string> {
    const salt = randomBytes(16)
    const key = await deriveScrypt(keyBytes(toBytes(password)), salt, 32, foreignCost)
    const { N, r, p } = foreignCost
    return [`${scryptPrefix}${N}`, r, p, salt.toString('base64url'), key.toString('base64url')].join(':')
  }

  /**
   * Compares in constant time. A 1.6 AuthorizationKey is configured in hex and sent as bytes by some stations and as
   * hex by others, so both count as the same password (OCPP-J 1.6 §6.2).
   * @param hash of either kind; an unknown kind verifies nothing
   * @param inTurn calls the dear part of the work, that of foreign passwords, when it may be done; what it throws is thrown
   */
  async verifyPassword(password: Buffer, hash: string, inTurn: InTurn = (work) => work()): Promise<boolean> {
    if (hash.startsWith(hmacPrefix)) {
      return equal(this.#hmac(password), Buffer.from(hash.slice(hmacPrefix.length), 'base64url'))
    }
    if (!hash.startsWith(scryptPrefix)) return false
    const print = this.#hmac(password)
    const proven = this.#proven.get(hash)
    if (proven && equal(print, proven)) return true
    const [N, r, p, salt, key] = hash.slice(scryptPrefix.length).split(':')
    if (salt === undefined || key === undefined) return false
    const expected = Buffer.from(key, 'base64url')
    const options = { N: Number(N), r: Number(r), p: Number(p), maxmem }
    const bytes = Buffer.from(salt, 'base64url')
    const isRight = equal(
      await inTurn(() => deriveScrypt(keyBytes(password), bytes, expected.length, options)),
      expected,
    )
    if (isRight) this.#remember(hash, print)
    return isRight
  }

  /** For addresses that carry their own permission. @returns base64url of HMAC-SHA-256 */
  sign(text: string): string {
    return createHmac('sha256', this.#signKey).update(text).digest('base64url')
  }

  /** Compares in constant time. */
  isSigned(text: string, signature: string): boolean {
    return equal(Buffer.from(this.sign(text)), Buffer.from(signature))
  }

  /** For the chain of the audit log. @returns HMAC-SHA-256, 32 bytes */
  link(text: string): Buffer {
    return createHmac('sha256', this.#linkKey).update(text).digest()
  }

  /** @returns 40 hex digits, 160 random bits: legal as AuthorizationKey (1.6) and BasicAuthPassword (2.0.1) */
  generatePassword(): string {
    return randomBytes(20).toString('hex')
  }

  #remember(hash: string, print: Buffer): void {
    this.#proven.set(hash, print)
    if (this.#proven.size <= maxProven) return
    for (const oldest of this.#proven.keys()) {
      this.#proven.delete(oldest)
      return
    }
  }

  #hmac(password: Buffer): Buffer {
    return createHmac('sha256', this.#hashKey).update(keyBytes(password)).digest()
  }
}

function deriveScrypt(password: Buffer, salt: Buffer, length: number, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

const derive = (secret: string, purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
const toBytes = (password: string | Buffer) => (typeof password === 'string' ? Buffer.from(password) : password)
const equal = (a: Buffer, b: Buffer) => a.length === b.length && timingSafeEqual(a, b)

/** The bytes an AuthorizationKey stands for when it is written in hex (16 to 20 bytes), else the password itself. */
function keyBytes(password: Buffer): Buffer {
  if (password.length < 32 || password.length > 40 || password.length % 2 !== 0) return password
  const text = password.toString('latin1')
  return /^[0-9a-fA-F]+$/.test(text) ? Buffer.from(text, 'hex') : password
}

const foreignCost = { N: 16_384, r: 8, p: 1 } as const
const maxmem = 64 * 1024 * 1024
/** Passwords remembered at once. */
const maxProven = 50_000
