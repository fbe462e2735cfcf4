import { decidePart } from '../pipeline/parts.js'
import type { DecisionContext, InboundRecord } from '../pipeline/service.js'
import { inboundRecord } from '../pipeline/testing.js'
import { stationsPart } from './service.js'
import { type StationPolicy, type StationsRows, StationsState } from './state.js'

export function stationPolicy(overrides: Partial<StationPolicy> = {}): StationPolicy {
  return {
    id: 'CP-1',
    registrationPolicy: 'accept',
    pendingIntervalSeconds: 60,
    heartbeatIntervalSeconds: 300,
    acceptWithoutBoot: false,
    ...overrides,
  }
}

/** What a batch loaded; one registered station unless told otherwise. */
export function stationsState(rows: Partial<StationsRows> = {}): StationsState {
  return new StationsState({ policies: [stationPolicy()], ...rows })
}

export function decideRecord(record: InboundRecord, state: StationsState, context: DecisionContext) {
  return decidePart(stationsPart, record, state, context)
}

/** connected, disconnected, presence or answered, as a gateway logs it. */
export function connectionRecord(type: string, epoch: number, overrides: Partial<InboundRecord> = {}): InboundRecord {
  return inboundRecord({
    type,
    epoch,
    connectionId: `connection-${epoch}`,
    answer: '',
    headers: { gateway: 'gateway-1' },
    ...overrides,
  })
}
