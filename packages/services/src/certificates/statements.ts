import { sql, upsertInto } from '@busbar/store'

export const upsertCertificates = upsertInto(
  'station_certificate',
  {
    id: 'uuid',
    stationId: 'text',
    status: 'text',
    csr: 'text',
    chain: 'text',
    fingerprint: 'text',
    serialNumber: 'text',
    error: 'text',
    notBefore: 'timestamptz',
    notAfter: 'timestamptz',
    requestedAt: 'timestamptz',
    firstUsedAt: 'timestamptz',
  },
  ['id'],
)

/** Of a station never more than one that is open, one accepted and one active. */
export const selectCertificates = sql(`
  SELECT id, station_id AS "stationId", status, csr, chain, fingerprint, serial_number AS "serialNumber", error,
    not_before AS "notBefore", not_after AS "notAfter", requested_at AS "requestedAt", first_used_at AS "firstUsedAt"
  FROM station_certificate
  WHERE station_id = ANY($1)
    AND (status IN ('requested', 'issued', 'accepted', 'active') OR fingerprint = ANY($2))`)

export const selectStations = sql(`
  SELECT s.id, s.serial_number AS "serialNumber", s.switches, coalesce(t.online, false) AS online
  FROM station s LEFT JOIN station_state t ON t.station_id = s.id WHERE s.id = ANY($1)`)

export const countRequests = sql(`
  SELECT station_id AS "stationId", count(*)::int AS count FROM station_certificate
  WHERE station_id = ANY($1) AND requested_at > $2::timestamptz - interval '1 hour' GROUP BY station_id`)

/** What the issuer has to know, of requests that are still open. */
export const selectRequests = sql(`
  SELECT c.id, c.station_id AS "stationId", c.csr, coalesce(s.serial_number, c.station_id) AS "commonName"
  FROM station_certificate c LEFT JOIN station s ON s.id = c.station_id
  WHERE c.id = ANY($1::uuid[]) AND c.status = 'requested'`)
