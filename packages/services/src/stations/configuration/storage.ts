import { type Session, type Sql, sql, upsertInto } from '@busbar/store'
import type { InboundRecord } from '../../pipeline/service.js'
import { variableKey } from '../statements.js'
import type { ConfigurationBook, ConfigurationRow } from './book.js'

/** A key of 1.6 is a variable that belongs to no component. */
const noComponent = { component: '', componentKey: '', componentInstance: '', variableInstance: '' }
const place = { ...noComponent, evseNumber: -1, connectorNumber: -1, attributeType: 'Actual' }

/** All keys of stations that told something, the pending ones of those that booted. */
const selectRows = sql(`
  SELECT station_id AS "stationId", variable_key AS "variableKey", variable, value, mutability,
    pending_value AS "pendingValue", is_unknown AS "isUnknown", updated_at AS "updatedAt"
  FROM variable
  WHERE component_key = '' AND component_instance = '' AND evse_number = -1 AND connector_number = -1
    AND variable_instance = '' AND attribute_type = 'Actual'
    AND (station_id = ANY($1) OR station_id = ANY($2) AND pending_value IS NOT NULL)`)

const upsertRows = upsertInto(
  'variable',
  {
    ...variableKey,
    component: 'text',
    variable: 'text',
    value: 'text',
    mutability: 'text',
    pendingValue: 'text',
    isUnknown: 'bool',
    updatedAt: 'timestamptz',
  },
  Object.keys(variableKey) as (keyof typeof variableKey)[],
)

export function loadConfiguration(session: Session, records: readonly InboundRecord[]): Promise<ConfigurationRow[]> {
  const stationsOf = (type: (record: InboundRecord) => boolean) => [
    ...new Set(records.filter(type).map(({ stationId }) => stationId)),
  ]
  const told = stationsOf(({ type }) => type !== 'call')
  const booted = stationsOf(({ type }) => type === 'call')
  return session.query<ConfigurationRow>(selectRows(told, booted))
}

export function saveConfiguration(book: ConfigurationBook): Sql[] {
  const rows = [...book.changedRows].map((row) => ({ ...row, ...place }))
  return rows.length > 0 ? [upsertRows(rows)] : []
}
