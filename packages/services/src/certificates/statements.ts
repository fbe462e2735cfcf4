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
    askedBy: 'jsonb',
    firstUsedAt: 'timestamptz',
  },
  ['id'],
)

/** Of a station the newest that are not done with: a handful, unless it goes on asking without end. */
export const selectCertificates = sql(`
  SELECT c.id, c.station_id AS "stationId", c.status, c.csr, c.chain, c.fingerprint, c.serial_number AS "serialNumber",
    c.error, c.not_before AS "notBefore", c.not_after AS "notAfter", c.requested_at AS "requestedAt",
    c.asked_by AS "askedBy", c.first_used_at AS "firstUsedAt"
  FROM station_certificate c
  WHERE c.station_id = ANY($1) AND c.fingerprint = ANY($2) OR c.id IN (
    SELECT latest.id FROM unnest($1::text[]) AS asked(id) CROSS JOIN LATERAL (
      SELECT id FROM station_certificate
      WHERE station_id = asked.id AND status IN ('requested', 'issued', 'accepted', 'active')
      ORDER BY requested_at DESC LIMIT 20
    ) latest)`)

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
