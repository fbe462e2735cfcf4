import { type Rig, token } from './rig.js'
import { exactly, type Figure, none } from './row.js'

export interface Message {
  action: string
  payload: Record<string, unknown>
}

interface Reading {
  at: Date
  wh: number
}

/** The messages of one charge, as a station says them. */
export const startMessage = ({ at, wh }: Reading, idTag = token, connectorId = 1): Message => ({
  action: 'StartTransaction',
  payload: { connectorId, idTag, meterStart: wh, timestamp: at.toISOString() },
})

export const meterMessage = (transactionId: number | undefined, { at, wh }: Reading, connectorId = 1): Message => ({
  action: 'MeterValues',
  payload: {
    connectorId,
    ...(transactionId !== undefined && { transactionId }),
    meterValue: [{ timestamp: at.toISOString(), sampledValue: [{ value: String(wh), unit: 'Wh' }] }],
  },
})

export const stopMessage = (transactionId: number, { at, wh }: Reading, idTag?: string): Message => ({
  action: 'StopTransaction',
  payload: { transactionId, meterStop: wh, timestamp: at.toISOString(), ...(idTag !== undefined && { idTag }) },
})

/** A charge that the CSMS has acknowledged whole. */
export interface Charged {
  stationId: string
  transactionId: number
  wh: number
  readings: number
}

interface Booked {
  station: string
  ocpp_id: string
  wh: string | null
  steps: number
  readings: number
}

/** Holds what stations were told against what Postgres has of them. */
export async function holdAgainstBooks(rig: Rig, prefix: string, charges: readonly Charged[]): Promise<Figure[]> {
  const booked = await rig.query<Booked>(
    `SELECT t.station_id AS station, t.ocpp_id, t.energy_wh::text AS wh,
            coalesce(s.count, 0)::int AS steps, coalesce(r.count, 0)::int AS readings
     FROM charging_transaction t
     LEFT JOIN (SELECT transaction_id, count(*) FROM transaction_step WHERE station_id LIKE $1 GROUP BY 1) s
       ON s.transaction_id = t.id
     LEFT JOIN (SELECT transaction_id, count(DISTINCT (sampled_at, reading)) FROM meter_reading WHERE station_id LIKE $1 GROUP BY 1) r
       ON r.transaction_id = t.id
     WHERE t.station_id LIKE $1`,
    [`${prefix}-%`],
  )
  const byId = new Map(booked.map((row) => [`${row.station} ${row.ocpp_id}`, row]))
  const lost: string[] = []
  const duplicates: string[] = []
  let difference = 0
  for (const { stationId, transactionId, wh, readings } of charges) {
    const name = `${stationId} ${transactionId}`
    const row = byId.get(name)
    byId.delete(name)
    if (!row || row.steps < 2 || row.readings < readings) lost.push(`${name}: ${JSON.stringify(row ?? 'no row')}`)
    if (row && (row.steps > 2 || row.readings > readings)) duplicates.push(`${name}: ${JSON.stringify(row)}`)
    difference += Math.abs(Number(row?.wh ?? 0) - wh)
  }
  duplicates.push(...byId.keys())
  return [none('lost', lost), none('duplicates', duplicates), exactly('Wh difference', difference, 0)]
}
