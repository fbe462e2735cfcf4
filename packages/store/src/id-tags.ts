import type { Sql } from './database.js'
import { sql } from './rows.js'

/** A token as OCPP 1.6 names it, with its idTagInfo (§7.27). */
export interface IdTag {
  /** In lower case: identifiers compare without it (§7.28). */
  foldedTag: string
  /** Spelled as registered. */
  idTag: string
  status: 'Accepted' | 'Blocked' | 'Expired'
  expiresAt: Date | null
  parentIdTag: string | null
}

/** One difference between a station's list and the tokens: what the entry has to become; without a status it goes. */
export type ListChange = Omit<IdTag, 'status'> & { stationId: string; status: IdTag['status'] | null }

/**
 * What an idTag may be; the first wins where one value is registered under several types. A key code is missing: lists
 * and reservations carry their tokens in clear, and it is a secret.
 */
const types = '{ISO14443,ISO15693,Central,Local,MacAddress,eMAID}'

/** Longer ones do not fit into an IdToken of 1.6 (§7.28: CiString20). At $1, one row a value. */
const idTags = `
  SELECT DISTINCT ON (folded_value) folded_value AS folded_tag, value AS id_tag,
    CASE WHEN status <> 'accepted' THEN 'Blocked' WHEN expires_at <= $1 THEN 'Expired' ELSE 'Accepted' END AS status,
    expires_at, CASE WHEN length(group_id) <= 20 THEN group_id END AS parent_id_tag
  FROM token
  WHERE type = ANY('${types}') AND length(value) <= 20`
const firstType = `ORDER BY folded_value, array_position('${types}'::text[], type)`

const columns = `folded_tag AS "foldedTag", id_tag AS "idTag", status, expires_at AS "expiresAt",
  parent_id_tag AS "parentIdTag"`

const selectNamed = sql(`SELECT ${columns} FROM (${idTags} AND folded_value = ANY($2) ${firstType}) t`)
const selectUsable = sql(
  `SELECT ${columns} FROM (${idTags} ${firstType}) t WHERE status = 'Accepted' ORDER BY folded_tag`,
)

// Joined in Postgres: only what differs is read, however long the lists are.
const selectChanges = sql(`
  WITH usable AS (SELECT * FROM (${idTags} ${firstType}) t WHERE status = 'Accepted')
  SELECT asked.station_id AS "stationId", c.*
  FROM unnest($2::text[]) AS asked(station_id)
  CROSS JOIN LATERAL (
    SELECT coalesce(u.folded_tag, e.folded_tag) AS "foldedTag", coalesce(u.id_tag, e.id_tag) AS "idTag", u.status,
      u.expires_at AS "expiresAt", u.parent_id_tag AS "parentIdTag"
    FROM usable u
    FULL JOIN (SELECT * FROM local_list_entry WHERE station_id = asked.station_id) e ON e.folded_tag = u.folded_tag
    WHERE (u.folded_tag, u.id_tag, u.status, u.expires_at, u.parent_id_tag)
      IS DISTINCT FROM (e.folded_tag, e.id_tag, e.status, e.expires_at, e.parent_id_tag)
  ) c
  ORDER BY asked.station_id, "foldedTag"`)

/** Registered tokens among these values, in any letter case. */
export function selectIdTags(values: readonly string[], now: Date): Sql {
  return selectNamed(now.toISOString(), [...new Set(values.map((value) => value.toLowerCase()))])
}

/** All that belong on a list: accepted, not expired, sendable. */
export function selectUsableIdTags(now: Date): Sql {
  return selectUsable(now.toISOString())
}

/** What differs between what Busbar believes on these stations' lists and the usable tokens. */
export function selectListChanges(stationIds: readonly string[], now: Date): Sql {
  return selectChanges(now.toISOString(), stationIds)
}

/** What a list is to say of a token; a status of null takes it off. */
export type ListItem = Pick<IdTag, 'idTag' | 'expiresAt' | 'parentIdTag'> & { status: string | null }

/** AuthorizationData of SendLocalList: without idTagInfo the station takes the entry off its list (§7.1). */
export function toAuthorizationData({ idTag, status, expiresAt, parentIdTag }: ListItem): {
  idTag: string
  idTagInfo?: { status: string; expiryDate?: string; parentIdTag?: string }
} {
  if (status === null) return { idTag }
  return {
    idTag,
    idTagInfo: {
      status,
      ...(expiresAt && { expiryDate: expiresAt.toISOString() }),
      ...(parentIdTag !== null && { parentIdTag }),
    },
  }
}
