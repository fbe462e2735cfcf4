import { redact, type v201 } from '@busbar/ocpp'
import type { CommandNews } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { type KnownValue, toKnownValues } from './known-values.js'
import type { PartNumber, StationsState, ValueRow, VariableRow } from './state.js'

/**
 * The parts of one report, once none is missing: the last one (tbc false) and all before it.
 * @returns in order of seqNo; null while a part is still to come
 */
export function completeParts<Part extends PartNumber>(parts: Iterable<Part>): Part[] | null {
  const bySeqNo = new Map([...parts].map((part) => [part.seqNo, part]))
  const last = [...bySeqNo.values()].find((part) => !part.toBeContinued)
  if (!last) return null
  const ordered: Part[] = []
  for (let seqNo = 0; seqNo <= last.seqNo; seqNo++) {
    const part = bySeqNo.get(seqNo)
    if (!part) return null
    ordered.push(part)
  }
  return ordered
}

/**
 * One row per attribute. Names are kept as sent and compared case-folded, so a spelling that changed
 * with a firmware finds the same row. EVSE numbers that no column holds leave their rows out.
 */
export function toVariables(stationId: string, reportData: v201.ReportDataType[], updatedAt: Date): VariableRow[] {
  return reportData.flatMap(({ component, variable, variableAttribute, variableCharacteristics }) => {
    const names = toNames(stationId, component, variable)
    if (!names) return []
    return variableAttribute.map((attribute) => ({
      ...names,
      attributeType: attribute.type ?? 'Actual',
      // Absent for what can only be written.
      value: attribute.value ?? null,
      mutability: attribute.mutability ?? null,
      persistent: attribute.persistent ?? null,
      constant: attribute.constant ?? null,
      characteristics: variableCharacteristics ?? null,
      updatedAt,
    }))
  })
}

/** Rows of single values that an answer told; what else is known of the variable stays. */
function toValueRows(stationId: string, values: readonly KnownValue[], updatedAt: Date): ValueRow[] {
  return values.flatMap(({ component, variable, attributeType, value }) => {
    const names = toNames(stationId, component, variable)
    return names ? [{ ...names, attributeType, value, updatedAt }] : []
  })
}

/** @returns null for EVSE numbers that no column holds */
function toNames(stationId: string, component: KnownValue['component'], variable: KnownValue['variable']) {
  const { id = -1, connectorId = -1 } = component.evse ?? {}
  if (!isStorableNumber(id) || !isStorableNumber(connectorId)) return null
  return {
    stationId,
    componentKey: component.name.toLowerCase(),
    componentInstance: component.instance?.toLowerCase() ?? '',
    evseNumber: id,
    connectorNumber: connectorId,
    variableKey: variable.name.toLowerCase(),
    variableInstance: variable.instance?.toLowerCase() ?? '',
    component: component.name,
    variable: variable.name,
  }
}

/** reportData without secrets: some stations report the passwords they should only take. */
export function safeReportData(request: v201.NotifyReportRequest): v201.ReportDataType[] {
  const { reportData } = redact('ocpp2.0.1', 'NotifyReport', 'request', { ...request })
  return (reportData as v201.ReportDataType[] | undefined) ?? []
}

/** What answers to our CALLs say of single variables. */
export const knownValueNews = {
  GetVariables: takeKnownValues,
  SetVariables: takeKnownValues,
}

/** A station that refused a part of what it was asked has still answered the rest. */
function takeKnownValues(
  { action, stage, sent, response }: CommandNews,
  state: StationsState,
  { station, record }: DecisionContext,
): Decision {
  if (stage !== 'accepted' && stage !== 'rejected') return {}
  const values = toKnownValues(station.protocol, action, sent, response)
  state.changeValues(toValueRows(station.id, values, record.receivedAt))
  return {}
}
