import { X509Certificate } from 'node:crypto'
import { type Database, sql, UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import {
  type CertificateFault,
  type ClientCertificate,
  faultOfDates,
  fingerprintOf,
  maxPathLength,
} from './client-certificate.js'

const selectAnchors = sql('SELECT fingerprint, certificate FROM trust_anchor ORDER BY fingerprint')
const selectRevoked = sql('SELECT fingerprint FROM revoked_certificate ORDER BY fingerprint')

interface Snapshot {
  /** Tells two snapshots apart. */
  text: string
  anchors: readonly { pem: string; certificate: X509Certificate }[]
  revoked: ReadonlySet<string>
}

/**
 * The authorities whose stations are believed, and the certificates that are revoked: the operator's tables, read anew
 * every few seconds. While Postgres is away what was read last counts.
 */
export class Trust {
  readonly #database: Database
  readonly #logger: Logger
  readonly #listeners: (() => void)[] = []
  #snapshot: Snapshot | null = null
  #timer: NodeJS.Timeout | null = null
  #reading: Promise<void> | null = null
  #readAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, logger: Logger) {
    this.#database = database
    this.#logger = logger
  }

  /** Reads, and again every `pollMs`. */
  async start(pollMs: number): Promise<void> {
    await this.refresh()
    this.#timer = setInterval(() => void this.refresh(), pollMs)
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
  }

  /** @param listener called after each change */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** False until Postgres answered once. */
  get isKnown(): boolean {
    return this.#snapshot !== null
  }

  /** PEM. */
  get anchors(): string[] {
    return this.#snapshot?.anchors.map(({ pem }) => pem) ?? []
  }

  /** For an authority not known here, which may be a new one. Reads at most once a second. */
  async catchUp(): Promise<void> {
    if (this.#reading || performance.now() - this.#readAt >= catchUpMs) await this.refresh()
  }

  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null
      this.#readAt = performance.now()
    })
    return this.#reading
  }

  /**
   * Follows a certificate to an anchor. OpenSSL did so in the handshake, under more rules; here because proxies give no
   * verdict, and because open sockets are looked at again when anchors change.
   * @returns fingerprints from the leaf to the anchor
   * @see RFC 5280 §6
   */
  findPath({ leaf, issuers }: ClientCertificate, now: Date): readonly string[] | CertificateFault {
    const { anchors, revoked } = this.#snapshot ?? nothingTrusted
    const path = [leaf]
    let last = leaf
    while (path.length < maxPathLength) {
      const anchor = anchors.find((each) => hasIssued(each.certificate, last))
      const next = anchor?.certificate ?? issuers.find((each) => !path.includes(each) && hasIssued(each, last))
      if (!next) break
      path.push(next)
      last = next
      if (!anchor) continue
      const fingerprints = path.map(fingerprintOf)
      if (fingerprints.some((each) => revoked.has(each))) return 'certificate-revoked'
      return path.map((each) => faultOfDates(each, now)).find((fault) => fault !== null) ?? fingerprints
    }
    return 'certificate-untrusted'
  }

  /** Whether nothing on a path that was found before is revoked, and its end still is an anchor. */
  stillHolds(path: readonly string[]): boolean {
    if (!this.#snapshot) return true
    const { anchors, revoked } = this.#snapshot
    const isAnchored = anchors.some(({ certificate }) => fingerprintOf(certificate) === path.at(-1))
    return isAnchored && !path.some((fingerprint) => revoked.has(fingerprint))
  }

  async #read(): Promise<void> {
    try {
      const [anchors, revoked] = await Promise.all([
        this.#database.query<{ fingerprint: string; certificate: string }>(selectAnchors()),
        this.#database.query<{ fingerprint: string }>(selectRevoked()),
      ])
      const fingerprints = revoked.map(({ fingerprint }) => fingerprint)
      const text = JSON.stringify([anchors.map(({ fingerprint }) => fingerprint), fingerprints])
      if (text === this.#snapshot?.text) return
      this.#snapshot = {
        text,
        anchors: anchors.map(({ certificate: pem }) => ({ pem, certificate: new X509Certificate(pem) })),
        revoked: new Set(fingerprints),
      }
    } catch (cause) {
      if (!(cause instanceof UnavailableError)) this.#logger.error({ err: cause }, 'trust anchors cannot be read')
      return
    }
    for (const listener of this.#listeners) listener()
  }
}

const nothingTrusted: Omit<Snapshot, 'text'> = { anchors: [], revoked: new Set() }

const catchUpMs = 1_000

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
