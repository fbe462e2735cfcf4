import type { Part } from '../pipeline/parts.js'
import { takeDelivery, takeFirstUse } from './delivery.js'
import type { CertificateIssuer } from './issuer.js'
import { createAsking, issuedType, issueWhenDue, renewWhenDue, takeIssued } from './issuing.js'
import { loadCertificates } from './load.js'
import type { CertificatesState } from './state.js'
import { signCertificate } from './v16/sign-certificate.js'

export interface CertificatesDeps {
  issuer: CertificateIssuer
  /** What `checkCsrSubject` wants as O of a request; null: anything. */
  operatorName: string | null
}

/** The certificates by which stations prove themselves. See README.md. */
export function createCertificatesPart({ issuer, operatorName }: CertificatesDeps): Part<CertificatesState> {
  return {
    actions: { 'ocpp1.6': { SignCertificate: signCertificate(operatorName) }, 'ocpp2.0.1': {} },
    news: { CertificateSigned: takeDelivery },
    jobs: { 'issue-certificate': issueWhenDue, 'renew-certificate': renewWhenDue },
    records: { connected: takeFirstUse, [issuedType]: takeIssued },
    load: (session, records) => loadCertificates(session, records, issuer),
    save: (state) => state.save(),
    after: createAsking(issuer),
  }
}
