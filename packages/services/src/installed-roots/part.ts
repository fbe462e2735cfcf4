import type { v16 } from '@busbar/ocpp'
import { PkiError, parseCertificate } from '@busbar/pki'
import { type CommandNews, readNews } from '../pipeline/command-news.js'
import { toObjects } from '../pipeline/objects.js'
import type { Part } from '../pipeline/parts.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { type HashData, type InstallationRow, InstalledRootsState, type RootRow, type RootType } from './state.js'
import { selectInstallations, selectRoots } from './statements.js'

/**
 * The root certificates a station says it has, and those it was asked to install. What an installation brought shows in
 * the station's next list: how the station will name the certificate is for the station to say.
 *
 * @see OCPP 1.6 security white paper M03 to M05
 */
export const installedRootsPart: Part<InstalledRootsState> = {
  news: {
    InstallCertificate: takeInstallation,
    GetInstalledCertificateIds: takeList,
    DeleteCertificate: takeDeletion,
  },
  load: async (session, records) => {
    const news = records.map(readNews)
    const listed = records.filter(({ action }) => action !== 'InstallCertificate').map(({ stationId }) => stationId)
    const commandIds = news.flatMap(({ action, commandId }) => (action === 'InstallCertificate' ? [commandId] : []))
    const [roots, installations] = await Promise.all([
      listed.length === 0 ? [] : session.query<RootRow>(selectRoots([...new Set(listed)])),
      commandIds.length === 0 ? [] : session.query<InstallationRow>(selectInstallations([...new Set(commandIds)])),
    ])
    return new InstalledRootsState(roots, installations)
  },
  save: (state) => state.save(),
}

/** No station has room for more; one that invents them must not fill the table. */
const maxListed = 200

function takeInstallation(news: CommandNews, state: InstalledRootsState, context: DecisionContext): Decision {
  const { commandId, callIndex, stage, sent, response } = news
  const { station, record } = context
  const known = state.findInstallation(news)
  // The word of an earlier stage, told again after a later one.
  if (stage === 'requested' && known) return {}
  const { certificateType, certificate } = sent as unknown as v16.InstallCertificateRequest
  state.putInstallation({
    commandId,
    callIndex,
    stationId: station.id,
    type: toRootType(certificateType),
    fingerprint: toFingerprint(certificate),
    status: stage,
    answer: typeof response.status === 'string' ? response.status : null,
    requestedAt: known?.requestedAt ?? record.receivedAt,
    answeredAt: stage === 'requested' ? null : record.receivedAt,
  })
  return {}
}

/** The list is the whole truth about its type; NotFound is a list of none. */
function takeList(
  { stage, sent, response }: CommandNews,
  state: InstalledRootsState,
  context: DecisionContext,
): Decision {
  const isEmpty = stage === 'rejected' && response.status === 'NotFound'
  if (stage !== 'accepted' && !isEmpty) return {}
  const type = toRootType((sent as unknown as v16.GetInstalledCertificateIdsRequest).certificateType)
  const { station, record, newId } = context
  const told = isEmpty ? [] : toObjects(response.certificateHashData).slice(0, maxListed).map(toHashData)
  const before = state.ofStation(station.id).filter((row) => row.type === type)
  for (const row of before) if (!told.some((each) => isSame(each, row))) state.remove(row)
  const kept = state.ofStation(station.id).filter((row) => row.type === type)
  for (const each of told) {
    if (kept.some((row) => isSame(each, row))) continue
    const row = { ...each, id: newId(), stationId: station.id, type, reportedAt: record.receivedAt }
    kept.push(row)
    state.add(row)
  }
  return {}
}

/** Gone, by the station's word: it deleted it, or knows of none such. */
function takeDeletion(
  { stage, sent, response }: CommandNews,
  state: InstalledRootsState,
  { station }: DecisionContext,
) {
  if (stage !== 'accepted' && response.status !== 'NotFound') return {}
  const [named] = toObjects([sent.certificateHashData]).map(toHashData)
  for (const row of state.ofStation(station.id)) if (named && isSame(named, row)) state.remove(row)
  return {}
}

const toRootType = (wire: string): RootType =>
  wire === 'ManufacturerRootCertificate' ? 'ManufacturerRoot' : 'CentralSystemRoot'

const text = (value: unknown) => (typeof value === 'string' ? value : '')

function toHashData({ hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }: Record<string, unknown>): HashData {
  return {
    hashAlgorithm: text(hashAlgorithm),
    issuerNameHash: text(issuerNameHash),
    issuerKeyHash: text(issuerKeyHash),
    serialNumber: text(serialNumber),
  }
}

function isSame(left: HashData, right: HashData): boolean {
  return (['hashAlgorithm', 'issuerNameHash', 'issuerKeyHash', 'serialNumber'] as const).every(
    (field) => left[field] === right[field],
  )
}

function toFingerprint(certificate: string): string | null {
  try {
    return parseCertificate(certificate).fingerprint
  } catch (cause) {
    if (cause instanceof PkiError) return null
    throw cause
  }
}
