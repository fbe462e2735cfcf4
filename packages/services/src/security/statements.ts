import { insertInto, selectFrom, sql, upsertInto } from '@busbar/store'

export const insertEvents = insertInto(
  'security_event',
  {
    stationId: 'text',
    contentKey: 'text',
    id: 'uuid',
    type: 'text',
    occurredAt: 'timestamptz',
    receivedAt: 'timestamptz',
    techInfo: 'text',
    level: 'text',
  },
  'ON CONFLICT DO NOTHING',
)

export const selectKnownEvents = selectFrom('security_event', ['stationId', 'contentKey'], {
  stationId: 'text',
  contentKey: 'text',
})

export const countEvents = sql(`
  SELECT station_id AS "stationId", count(*)::int AS count FROM security_event
  WHERE station_id = ANY($1) AND received_at > $2::timestamptz - interval '1 hour' GROUP BY station_id`)

export const selectChanges = sql(`
  SELECT station_id AS "stationId", profile, status, command_id AS "commandId", requested_at AS "requestedAt",
    answered_at AS "answeredAt"
  FROM security_profile_change WHERE station_id = ANY($1)`)

export const upsertChanges = upsertInto(
  'security_profile_change',
  {
    stationId: 'text',
    profile: 'int2',
    status: 'text',
    commandId: 'uuid',
    requestedAt: 'timestamptz',
    answeredAt: 'timestamptz',
  },
  ['stationId'],
)
