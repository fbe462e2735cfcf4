import { type IssuingAuthority, issueCertificate, PkiError, parseRequest } from '@busbar/pki'
import { type Database, sql, type Vault } from '@busbar/store'
import type { CertificateIssuer } from './issuer.js'

interface AuthorityRow extends Omit<IssuingAuthority, 'privateKey'> {
  organization: string
  sealedKey: string
  validityDays: number
}

const selectAuthorities = sql(`
  SELECT organization, certificate, algorithm, rsa_padding AS "rsaPadding", sealed_key AS "sealedKey", validity_days AS "validityDays"
  FROM certificate_authority WHERE not_after > $1 ORDER BY created_at DESC, id DESC`)

interface BuiltInIssuerDeps {
  database: Pick<Database, 'query'>
  vault: Pick<Vault, 'open'>
  /** O of every certificate; null: as the authority's own. */
  operatorName: string | null
  clock?: () => Date
}

/**
 * Signs with the newest of our authorities whose key is of the kind of the station's, else with the newest.
 */
export function createBuiltInIssuer(deps: BuiltInIssuerDeps): CertificateIssuer {
  const { database, vault, operatorName, clock = () => new Date() } = deps
  const authorities = () => database.query<AuthorityRow>(selectAuthorities(clock().toISOString()))
  return {
    isReady: async () => (await authorities()).length > 0,
    issue: async ({ csr, commonName }) => {
      const kind = parseRequest(csr).key.type.toLowerCase()
      const all = await authorities()
      const authority = all.find(({ algorithm }) => algorithm.startsWith(kind)) ?? all[0]
      if (!authority) throw new PkiError('There is no certificate authority any more')
      const { organization, sealedKey, validityDays, ...issuing } = authority
      const now = clock()
      return issueCertificate(
        { ...issuing, privateKey: vault.open(sealedKey) },
        csr,
        { commonName, organization: operatorName ?? organization },
        { notBefore: new Date(now.getTime() - clockSkewMs), notAfter: new Date(now.getTime() + validityDays * dayMs) },
      )
    },
  }
}

/** Stations refuse what begins in their future, and their clocks run behind. */
const clockSkewMs = 60 * 60 * 1000
const dayMs = 24 * 60 * 60 * 1000
