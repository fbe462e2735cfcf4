import type { v16 } from '@busbar/ocpp'
import { isStrongKey, PkiError, parseRequest } from '@busbar/pki'
import { placeOf } from '../../pipeline/outgoing.js'
import { answer, type Decide, type Decision, type DecisionContext } from '../../pipeline/service.js'
import { deliver } from '../delivery.js'
import { jobOf } from '../jobs.js'
import type { CertificatesState } from '../state.js'

/** A station that asks more often has lost its way; each request costs the authority a signature. */
const maxRequestsPerHour = 60

type Answer = Decision & { answer: { result: v16.SignCertificateResponse } }

/**
 * Takes a certificate signing request in and answers at once; the authority is asked afterwards. The subject may be
 * anything, unless the switch `checkCsrSubject` is on: what is certified is decided here. The same request again is
 * not signed twice: what was issued for it is delivered once more.
 *
 * @see OCPP 1.6 security white paper A02, A03
 */
export const signCertificate =
  (operatorName: string | null): Decide<v16.SignCertificateRequest, v16.SignCertificateResponse, CertificatesState> =>
  ({ csr }, state, context) => {
    const { station, newId, now, record } = context
    const refusal = findRefusal(csr, state, operatorName, context)
    if (refusal) return refuse(refusal)
    const open = state.ofStation(station.id, 'requested', 'issued', 'accepted', 'active')
    const same = open.find((row) => row.csr === csr)
    const askedBy = placeOf(record)
    if (same?.status === 'requested') {
      state.change(same, { askedBy })
      return answer({ status: 'Accepted' })
    }
    if (same) {
      return answer({ status: 'Accepted' }, { commands: [deliver({ ...same, askedBy }, 'the same request again')] })
    }

    if (state.recentRequests(station.id) >= maxRequestsPerHour) return refuse('Too many requests within an hour')
    // The station has made a new key: what it asked for before is of no use to it. One that went out may have been taken.
    const outdated = open.filter(({ status }) => status === 'requested')
    for (const each of outdated) state.change(each, { status: 'superseded' })
    for (const each of open.filter(({ status }) => status === 'issued')) {
      state.change(each, { status: 'failed', error: 'The station asked anew before it answered' })
    }
    const row = {
      id: newId(),
      stationId: station.id,
      csr,
      status: 'requested',
      requestedAt: record.receivedAt,
      askedBy,
    } as const
    state.add({ ...nothingIssued, ...row })
    const remove = outdated.map((each) => jobOf('issue-certificate', each, now))
    return answer({ status: 'Accepted' }, { jobs: { put: [jobOf('issue-certificate', row, now)], remove } })
  }

const nothingIssued = {
  chain: null,
  fingerprint: null,
  serialNumber: null,
  error: null,
  notBefore: null,
  notAfter: null,
  firstUsedAt: null,
}

/** @returns why it cannot be signed; null when it can */
function findRefusal(
  csr: string,
  state: CertificatesState,
  operatorName: string | null,
  { station }: DecisionContext,
): string | null {
  try {
    const request = parseRequest(csr)
    if (!isStrongKey(request.key)) return `A key of type ${request.key.type} with ${request.key.bits} bits is too weak`
    const { switches, serialNumber } = state.station(station.id)
    const isOurs = operatorName === null || request.organization === operatorName
    const isNamed = request.commonName === (serialNumber ?? station.id) && isOurs
    if (switches.checkCsrSubject === true && !isNamed) return 'The subject is not CN=<serial number>, O=<operator>'
  } catch (cause) {
    if (cause instanceof PkiError) return cause.message
    throw cause
  }
  return state.isIssuerReady ? null : 'There is no certificate authority'
}

function refuse(reason: string): Answer {
  const event = { type: 'certificate.request-refused' as const, subject: 'certificate', data: { reason } }
  return answer({ status: 'Rejected' }, { events: [event] })
}
