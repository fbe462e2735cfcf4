import { sql, upsertInto } from '@busbar/store'

/** Requests of one station that a status or an answer may still be about. */
const recent = 60

export const selectTransfers = sql(`
  SELECT t.id, t.station_id AS "stationId", t.kind, t.command_id AS "commandId", t.request_id AS "requestId", t.answer,
    t.state, t.superseded, t.history, t.location, t.file_name AS "fileName", t.requested_at AS "requestedAt",
    t.updated_at AS "updatedAt", t.ended_at AS "endedAt"
  FROM unnest($1::text[]) AS asked(id)
  CROSS JOIN LATERAL (
    SELECT * FROM transfer WHERE station_id = asked.id ORDER BY requested_at DESC, id DESC LIMIT ${recent}
  ) t`)

export const upsertTransfers = upsertInto(
  'transfer',
  {
    id: 'uuid',
    stationId: 'text',
    kind: 'text',
    commandId: 'uuid',
    requestId: 'int4',
    answer: 'text',
    state: 'text',
    superseded: 'bool',
    history: 'jsonb',
    location: 'text',
    fileName: 'text',
    requestedAt: 'timestamptz',
    updatedAt: 'timestamptz',
    endedAt: 'timestamptz',
  },
  ['id'],
)
