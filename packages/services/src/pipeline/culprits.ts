import type { InboundRecord } from './service.js'

/** Why records cannot be saved. */
export interface Refusal {
  cause: unknown
}

export interface Culprit extends Refusal {
  record: InboundRecord
}

/** Decides and saves these for real and takes it back, so that neighbours are never committed apart from their offset. */
type TryOut = (records: readonly InboundRecord[]) => Promise<Refusal | null>

/**
 * Finds the records that make a batch fail at load, save or commit. What one station says hardly ever bears on another,
 * so stations are tried half by half: for k culprits among n records about n * log2(2k) records are decided again.
 * @returns none when nothing fails any more, or when it fails without any record
 */
export async function findCulprits(records: readonly InboundRecord[], tryOut: TryOut): Promise<Culprit[]> {
  if (await tryOut([])) return []
  return search(records, tryOut)
}

async function search(records: readonly InboundRecord[], tryOut: TryOut): Promise<Culprit[]> {
  const refusal = await tryOut(records)
  if (!refusal) return []
  const culprits: Culprit[] = []
  for (const half of halvesByStation(records)) culprits.push(...(await search(half, tryOut)))
  if (culprits.length > 0) return culprits
  // Of one station, or of several that fail only together.
  const culprit = await findFirst(records, refusal, tryOut)
  const others = records.filter((record) => record !== culprit.record)
  return [culprit, ...(others.length > 0 ? await search(others, tryOut) : [])]
}

/** The last of the shortest prefix that fails. */
async function findFirst(records: readonly InboundRecord[], refusal: Refusal, tryOut: TryOut): Promise<Culprit> {
  let [sound, failing, cause] = [0, records.length, refusal.cause]
  while (failing - sound > 1) {
    const middle = sound + Math.floor((failing - sound) / 2)
    const prefix = await tryOut(records.slice(0, middle))
    if (prefix) [failing, cause] = [middle, prefix.cause]
    else sound = middle
  }
  return { record: records[failing - 1] as InboundRecord, cause }
}

/** None for records of one station. */
function halvesByStation(records: readonly InboundRecord[]): InboundRecord[][] {
  const stations = [...new Set(records.map(({ stationId }) => stationId))]
  if (stations.length < 2) return []
  const first = new Set(stations.slice(0, Math.ceil(stations.length / 2)))
  const isFirst = ({ stationId }: InboundRecord) => first.has(stationId)
  return [records.filter(isFirst), records.filter((record) => !isFirst(record))]
}
