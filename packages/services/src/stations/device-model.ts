import { redact, type v201 } from '@busbar/ocpp'
import type { ReportPartRow, VariableRow } from './state.js'

/** Whether a column of 32 bits holds it; schemas bound no integer, and a refused row would cost the whole batch a redo. */
export function isStorableNumber(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31
}

/**
 * The parts of one report, once none is missing: the last one (tbc false) and all before it.
 * @returns in order of seqNo; null while a part is still to come
 */
export function completeParts(parts: ReadonlyMap<number, ReportPartRow>): ReportPartRow[] | null {
  const last = [...parts.values()].find((part) => !part.toBeContinued)
  if (!last) return null
  const ordered: ReportPartRow[] = []
  for (let seqNo = 0; seqNo <= last.seqNo; seqNo++) {
    const part = parts.get(seqNo)
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
    const { id = -1, connectorId = -1 } = component.evse ?? {}
    if (!isStorableNumber(id) || !isStorableNumber(connectorId)) return []
    return variableAttribute.map((attribute) => ({
      stationId,
      componentKey: component.name.toLowerCase(),
      componentInstance: component.instance?.toLowerCase() ?? '',
      evseNumber: id,
      connectorNumber: connectorId,
      variableKey: variable.name.toLowerCase(),
      variableInstance: variable.instance?.toLowerCase() ?? '',
      attributeType: attribute.type ?? 'Actual',
      component: component.name,
      variable: variable.name,
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

/** reportData without secrets: some stations report the passwords they should only take. */
export function safeReportData(request: v201.NotifyReportRequest): v201.ReportDataType[] {
  const { reportData } = redact('ocpp2.0.1', 'NotifyReport', 'request', { ...request })
  return (reportData as v201.ReportDataType[] | undefined) ?? []
}
