import type { Registration } from '@busbar/ocpp'

/** What the operator decided about a station. Owned by the API, only read here. */
export interface StationPolicy {
  id: string
  /** accept | reject | pending | onboarding */
  registrationPolicy: string
  pendingIntervalSeconds: number
  heartbeatIntervalSeconds: number
  acceptWithoutBoot: boolean
  /** Tolerances and reactions that hold for it, by name. */
  switches: Readonly<Record<string, unknown>>
  /** When the operator last chose the security profile. */
  profileSetAt: Date | null
}

/** A row of station_state. */
export interface StationStateRow {
  stationId: string
  registration: Registration
  onboarded: boolean
  bootCount: number
  lastBootAt: Date | null
  bootReason: string | null
  vendor: string | null
  model: string | null
  serialNumber: string | null
  chargeBoxSerialNumber: string | null
  firmwareVersion: string | null
  iccid: string | null
  imsi: string | null
  meterType: string | null
  meterSerialNumber: string | null
  online: boolean
  gatewayId: string | null
  connectionId: string | null
  epoch: bigint
  protocol: string | null
  /** The highest it proved since the operator last chose one; the gateway refuses a lower one. */
  securityProfile: number
  profileProvenAt: Date | null
  remoteAddress: string | null
  connectedAt: Date | null
  disconnectedAt: Date | null
  lastSeenAt: Date | null
}

export interface EvseRow {
  id: string
  stationId: string
  number: number
}

export interface ConnectorRow {
  id: string
  evseId: string
  /** 0: the EVSE as a whole; of EVSE 0: the station. */
  number: number
  status: string | null
  errorCode: string | null
  info: string | null
  vendorId: string | null
  vendorErrorCode: string | null
  statusAt: Date | null
}

/** How a version addresses a connector on the wire. 1.6 knows no EVSE: evseNumber 0, connectorNumber its connectorId. */
export interface AddressRow {
  stationId: string
  protocol: string
  evseNumber: number
  connectorNumber: number
  connectorId: string
}

/** Which part of which report. */
export interface PartNumber {
  stationId: string
  requestId: number
  seqNo: number
  toBeContinued: boolean
}

export interface ReportPartRow extends PartNumber {
  /** ReportDataType[] */
  reportData: unknown[]
  receivedAt: Date
}

/** A row of variable: one attribute. */
export interface VariableRow {
  stationId: string
  componentKey: string
  componentInstance: string
  evseNumber: number
  connectorNumber: number
  variableKey: string
  variableInstance: string
  attributeType: string
  component: string
  variable: string
  value: string | null
  mutability: string | null
  persistent: boolean | null
  constant: boolean | null
  characteristics: unknown
  updatedAt: Date
}

/** What an answer says of one attribute. */
export type ValueRow = Omit<VariableRow, 'mutability' | 'persistent' | 'constant' | 'characteristics'>

/** Rows of a batch, as loaded and as changed since. Sets and maps of changes are what `save` writes. */
export class StationsState {
  readonly changedStates = new Set<StationStateRow>()
  readonly newEvses = new Set<EvseRow>()
  readonly changedConnectors = new Set<ConnectorRow>()
  readonly newAddresses = new Set<AddressRow>()
  readonly newParts = new Set<ReportPartRow>()
  /** Reports whose parts have become variables. */
  readonly finishedReports = new Map<string, { stationId: string; requestId: number }>()
  readonly changedVariables = new Map<string, VariableRow>()
  /** Of variables that no report of this batch holds. */
  readonly changedValues = new Map<string, ValueRow>()

  readonly #policies = new Map<string, StationPolicy>()
  readonly #states = new Map<string, StationStateRow>()
  readonly #evses = new Map<string, EvseRow>()
  readonly #connectors = new Map<string, ConnectorRow>()
  readonly #connectorsById = new Map<string, ConnectorRow>()
  readonly #addresses = new Map<string, AddressRow>()
  readonly #parts = new Map<string, Map<number, ReportPartRow>>()
  readonly #connectorCounts = new Map<string, number>()
  readonly #storedParts: ReadonlyMap<string, number>

  constructor(rows: Partial<StationsRows> = {}) {
    for (const row of rows.policies ?? []) this.#policies.set(row.id, row)
    for (const row of rows.states ?? []) this.#states.set(row.stationId, row)
    const evses = new Map((rows.evses ?? []).map((row) => [row.id, row]))
    for (const row of evses.values()) this.#evses.set(toKey(row.stationId, row.number), row)
    for (const row of rows.connectors ?? []) {
      const evse = evses.get(row.evseId)
      if (evse) this.#holdConnector(evse, row)
    }
    for (const row of rows.addresses ?? []) this.#addresses.set(addressKey(row), row)
    this.#storedParts = rows.storedParts ?? new Map()
    for (const row of rows.parts ?? []) this.#partsOf(row.stationId, row.requestId).set(row.seqNo, row)
  }

  findPolicy(stationId: string): StationPolicy | null {
    return this.#policies.get(stationId) ?? null
  }

  /** The station's row, a blank one when it has never been heard of. */
  stateOf(stationId: string): Readonly<StationStateRow> {
    return this.#states.get(stationId) ?? blankState(stationId)
  }

  changeState(stationId: string, change: Partial<StationStateRow>): Readonly<StationStateRow> {
    const row = Object.assign(this.#states.get(stationId) ?? blankState(stationId), change)
    this.#states.set(stationId, row)
    this.changedStates.add(row)
    return row
  }

  findAddress(address: Omit<AddressRow, 'connectorId'>): ConnectorRow | null {
    const found = this.#addresses.get(addressKey(address))
    return (found && this.#connectorsById.get(found.connectorId)) ?? null
  }

  addAddress(row: AddressRow): void {
    this.#addresses.set(addressKey(row), row)
    this.newAddresses.add(row)
  }

  findConnector(stationId: string, evseNumber: number, number: number): ConnectorRow | null {
    return this.#connectors.get(toKey(stationId, evseNumber, number)) ?? null
  }

  connectorCount(stationId: string): number {
    return this.#connectorCounts.get(stationId) ?? 0
  }

  addConnector(stationId: string, evseNumber: number, number: number, newId: () => string): ConnectorRow {
    let evse = this.#evses.get(toKey(stationId, evseNumber))
    if (!evse) {
      evse = { id: newId(), stationId, number: evseNumber }
      this.#evses.set(toKey(stationId, evseNumber), evse)
      this.newEvses.add(evse)
    }
    const row = { ...blankConnector, id: newId(), evseId: evse.id, number }
    this.#holdConnector(evse, row)
    this.changedConnectors.add(row)
    return row
  }

  changeConnector(row: ConnectorRow, change: Partial<ConnectorRow>): void {
    Object.assign(row, change)
    this.changedConnectors.add(row)
  }

  /** Parts of its open reports that the station has in the table. */
  storedParts(stationId: string): number {
    return this.#storedParts.get(stationId) ?? 0
  }

  /** Parts of a report by seqNo; those of earlier batches included if they can make a whole with this batch's. */
  partsOf(stationId: string, requestId: number): ReadonlyMap<number, ReportPartRow> {
    return this.#partsOf(stationId, requestId)
  }

  /** A part that comes again takes the place of the first: a number may have been used for another report since. */
  addPart(row: ReportPartRow): void {
    const parts = this.#partsOf(row.stationId, row.requestId)
    const before = parts.get(row.seqNo)
    if (before) this.newParts.delete(before)
    parts.set(row.seqNo, row)
    this.newParts.add(row)
  }

  finishReport(stationId: string, requestId: number, variables: readonly VariableRow[]): void {
    for (const part of this.partsOf(stationId, requestId).values()) this.newParts.delete(part)
    this.#parts.delete(toKey(stationId, requestId))
    this.finishedReports.set(toKey(stationId, requestId), { stationId, requestId })
    for (const row of variables) {
      this.changedVariables.set(variableKey(row), row)
      this.changedValues.delete(variableKey(row))
    }
  }

  changeValues(rows: readonly ValueRow[]): void {
    for (const row of rows) {
      const key = variableKey(row)
      const reported = this.changedVariables.get(key)
      if (reported) this.changedVariables.set(key, { ...reported, ...row })
      else this.changedValues.set(key, row)
    }
  }

  #partsOf(stationId: string, requestId: number): Map<number, ReportPartRow> {
    const reportKey = toKey(stationId, requestId)
    const parts = this.#parts.get(reportKey) ?? new Map<number, ReportPartRow>()
    this.#parts.set(reportKey, parts)
    return parts
  }

  #holdConnector(evse: EvseRow, row: ConnectorRow): void {
    this.#connectors.set(toKey(evse.stationId, evse.number, row.number), row)
    this.#connectorsById.set(row.id, row)
    this.#connectorCounts.set(evse.stationId, this.connectorCount(evse.stationId) + 1)
  }
}

export interface StationsRows {
  policies: StationPolicy[]
  states: StationStateRow[]
  evses: EvseRow[]
  connectors: ConnectorRow[]
  addresses: AddressRow[]
  parts: ReportPartRow[]
  /** By station. */
  storedParts: ReadonlyMap<string, number>
}

function blankState(stationId: string): StationStateRow {
  return {
    stationId,
    registration: null,
    onboarded: false,
    bootCount: 0,
    lastBootAt: null,
    bootReason: null,
    vendor: null,
    model: null,
    serialNumber: null,
    chargeBoxSerialNumber: null,
    firmwareVersion: null,
    iccid: null,
    imsi: null,
    meterType: null,
    meterSerialNumber: null,
    online: false,
    gatewayId: null,
    connectionId: null,
    epoch: 0n,
    protocol: null,
    securityProfile: 0,
    profileProvenAt: null,
    remoteAddress: null,
    connectedAt: null,
    disconnectedAt: null,
    lastSeenAt: null,
  }
}

const blankConnector = {
  status: null,
  errorCode: null,
  info: null,
  vendorId: null,
  vendorErrorCode: null,
  statusAt: null,
}

/** A station id may hold anything printable, so the parts are apart by a character it cannot hold. */
export const toKey = (...parts: (string | number)[]) => parts.join('\n')

const addressKey = (row: Omit<AddressRow, 'connectorId'>) =>
  toKey(row.stationId, row.protocol, row.evseNumber, row.connectorNumber)

const variableKey = (row: ValueRow) =>
  JSON.stringify([
    row.stationId,
    row.componentKey,
    row.componentInstance,
    row.evseNumber,
    row.connectorNumber,
    row.variableKey,
    row.variableInstance,
    row.attributeType,
  ])
