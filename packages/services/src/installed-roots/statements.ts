import { deleteFrom, insertInto, sql, upsertInto } from '@busbar/store'

export const insertRoots = insertInto('installed_certificate', {
  id: 'uuid',
  stationId: 'text',
  type: 'text',
  hashAlgorithm: 'text',
  issuerNameHash: 'text',
  issuerKeyHash: 'text',
  serialNumber: 'text',
  reportedAt: 'timestamptz',
})

export const deleteRoots = deleteFrom('installed_certificate', { id: 'uuid' })

export const upsertInstallations = upsertInto(
  'root_installation',
  {
    commandId: 'uuid',
    callIndex: 'int4',
    stationId: 'text',
    type: 'text',
    fingerprint: 'text',
    status: 'text',
    answer: 'text',
    requestedAt: 'timestamptz',
    answeredAt: 'timestamptz',
  },
  ['commandId', 'callIndex'],
)

export const selectRoots = sql(`
  SELECT id, station_id AS "stationId", type, hash_algorithm AS "hashAlgorithm", issuer_name_hash AS "issuerNameHash",
    issuer_key_hash AS "issuerKeyHash", serial_number AS "serialNumber", reported_at AS "reportedAt"
  FROM installed_certificate WHERE station_id = ANY($1)`)

export const selectInstallations = sql(`
  SELECT command_id AS "commandId", call_index AS "callIndex", station_id AS "stationId", type, fingerprint, status,
    answer, requested_at AS "requestedAt", answered_at AS "answeredAt"
  FROM root_installation WHERE command_id = ANY($1::uuid[])`)
