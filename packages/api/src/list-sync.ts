import { type Sql, sql } from '@busbar/store'

/**
 * Has the local lists of the stations that are to be kept in step (switch `localListSync`) looked at, 5 to 15 s from now and
 * 20 stations a second; for the dbTransaction that changes tokens or the switch. Changes of the same ten seconds are one
 * job a station, due only after they are over: none is removed with one that runs already.
 * @param stationId - only this one; default: all
 */
export function listSyncJobs(stationId: string | null = null): Sql {
  return insertJobs(stationId)
}

const insertJobs = sql(`
  INSERT INTO job (service, kind, key, station_id, due_at)
  SELECT 'stations', 'local-list-sync', s.id || '/' || span.number, s.id,
    to_timestamp(span.number * 10 + 15) + row_number() OVER (ORDER BY s.id) * interval '50 ms'
  FROM station s, (SELECT floor(extract(epoch FROM now()) / 10)::bigint AS number) span
  WHERE s.switches->'localListSync' = 'true'::jsonb AND ($1::text IS NULL OR s.id = $1)
  ON CONFLICT DO NOTHING`)
