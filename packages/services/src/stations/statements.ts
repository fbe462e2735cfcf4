import { deleteFrom, insertInto, selectFrom, sql, upsertInto } from '@busbar/store'

export const selectPolicies = sql(`
  SELECT id, registration_policy AS "registrationPolicy", pending_interval_seconds AS "pendingIntervalSeconds",
    heartbeat_interval_seconds AS "heartbeatIntervalSeconds", accept_without_boot AS "acceptWithoutBoot",
    profile_set_at AS "profileSetAt", switches
  FROM station WHERE id = ANY($1)`)

export const selectStates = sql(`
  SELECT station_id AS "stationId", registration, onboarded, boot_count AS "bootCount", last_boot_at AS "lastBootAt",
    boot_reason AS "bootReason", vendor, model, serial_number AS "serialNumber",
    charge_box_serial_number AS "chargeBoxSerialNumber", firmware_version AS "firmwareVersion",
    iccid, imsi, meter_type AS "meterType", meter_serial_number AS "meterSerialNumber", online,
    gateway_id AS "gatewayId", connection_id AS "connectionId", epoch, protocol,
    security_profile AS "securityProfile", profile_proven_at AS "profileProvenAt", remote_address AS "remoteAddress",
    connected_at AS "connectedAt", disconnected_at AS "disconnectedAt", last_seen_at AS "lastSeenAt"
  FROM station_state WHERE station_id = ANY($1)`)

export const selectEvses = sql('SELECT id, station_id AS "stationId", number FROM evse WHERE station_id = ANY($1)')

export const selectConnectors = sql(`
  SELECT c.id, c.evse_id AS "evseId", c.number, c.status, c.error_code AS "errorCode", c.info,
    c.vendor_id AS "vendorId", c.vendor_error_code AS "vendorErrorCode", c.status_at AS "statusAt"
  FROM connector c JOIN evse e ON e.id = c.evse_id WHERE e.station_id = ANY($1)`)

export const selectAddresses = sql(`
  SELECT station_id AS "stationId", protocol, evse_number AS "evseNumber", connector_number AS "connectorNumber",
    connector_id AS "connectorId"
  FROM protocol_address WHERE station_id = ANY($1)`)

/** Without what the parts say: a report of many parts would be read anew with each of them. */
export const selectPartNumbers = sql(`
  SELECT station_id AS "stationId", request_id AS "requestId", seq_no AS "seqNo", to_be_continued AS "toBeContinued"
  FROM report_part WHERE station_id = ANY($1) AND received_at >= $2::timestamptz - interval '1 day'`)

export const selectParts = selectFrom(
  'report_part',
  ['stationId', 'requestId', 'seqNo', 'toBeContinued', 'reportData', 'receivedAt'],
  { stationId: 'text', requestId: 'int4' },
)

export const upsertStates = upsertInto(
  'station_state',
  {
    stationId: 'text',
    registration: 'text',
    onboarded: 'bool',
    bootCount: 'int4',
    lastBootAt: 'timestamptz',
    bootReason: 'text',
    vendor: 'text',
    model: 'text',
    serialNumber: 'text',
    chargeBoxSerialNumber: 'text',
    firmwareVersion: 'text',
    iccid: 'text',
    imsi: 'text',
    meterType: 'text',
    meterSerialNumber: 'text',
    online: 'bool',
    gatewayId: 'text',
    connectionId: 'text',
    epoch: 'int8',
    protocol: 'text',
    securityProfile: 'int2',
    profileProvenAt: 'timestamptz',
    remoteAddress: 'text',
    connectedAt: 'timestamptz',
    disconnectedAt: 'timestamptz',
    lastSeenAt: 'timestamptz',
  },
  ['stationId'],
)

export const insertEvses = insertInto('evse', { id: 'uuid', stationId: 'text', number: 'int4' })

export const upsertConnectors = upsertInto(
  'connector',
  {
    id: 'uuid',
    evseId: 'uuid',
    number: 'int4',
    status: 'text',
    errorCode: 'text',
    info: 'text',
    vendorId: 'text',
    vendorErrorCode: 'text',
    statusAt: 'timestamptz',
  },
  ['id'],
)

export const insertAddresses = insertInto('protocol_address', {
  stationId: 'text',
  protocol: 'text',
  evseNumber: 'int4',
  connectorNumber: 'int4',
  connectorId: 'uuid',
})

export const upsertParts = upsertInto(
  'report_part',
  {
    stationId: 'text',
    requestId: 'int4',
    seqNo: 'int4',
    toBeContinued: 'bool',
    reportData: 'jsonb',
    receivedAt: 'timestamptz',
  },
  ['stationId', 'requestId', 'seqNo'],
)

export const deleteParts = deleteFrom('report_part', { stationId: 'text', requestId: 'int4' })

/** Parts of reports that never became complete, or that came again after their report did. */
export const deleteOldParts = sql(
  "DELETE FROM report_part WHERE station_id = ANY($1) AND received_at < $2::timestamptz - interval '1 day'",
)

/** What tells rows of `variable` apart. */
export const variableKey = {
  stationId: 'text',
  componentKey: 'text',
  componentInstance: 'text',
  evseNumber: 'int4',
  connectorNumber: 'int4',
  variableKey: 'text',
  variableInstance: 'text',
  attributeType: 'text',
} as const

const variableValue = {
  component: 'text',
  variable: 'text',
  value: 'text',
  updatedAt: 'timestamptz',
} as const

export const upsertVariables = upsertInto(
  'variable',
  {
    ...variableKey,
    ...variableValue,
    mutability: 'text',
    persistent: 'bool',
    constant: 'bool',
    characteristics: 'jsonb',
  },
  Object.keys(variableKey) as (keyof typeof variableKey)[],
)

export const upsertValues = upsertInto(
  'variable',
  { ...variableKey, ...variableValue },
  Object.keys(variableKey) as (keyof typeof variableKey)[],
  ['value', 'updatedAt'],
)
