import { type ChargingProfile16, type Payload, type PlacedProfile, sentProfile16 } from '@busbar/ocpp'
import type { Database } from '@busbar/store'

/** A profile that a 1.6 station has, as far as we know. */
export interface InstalledProfile extends PlacedProfile {
  /** Of a TxProfile: Busbar's id of its transaction, if that is known. */
  transactionId: string | null
}

interface Row {
  action: string
  sent: Payload
  transactionId: string | null
  /** Of its transaction. */
  connector: number | null
}

/** Without those whose validity is over. */
export async function findInstalledProfiles(
  database: Database,
  stationId: string,
  at: Date,
): Promise<InstalledProfile[]> {
  const rows = await database.query<Row>({
    name: 'installed_charging_profiles',
    text: `SELECT p.action, p.sent, p.transaction_id AS "transactionId", t.evse_number AS connector
           FROM charging_profile p LEFT JOIN charging_transaction t ON t.id = p.transaction_id
           WHERE p.station_id = $1 AND p.settled_at IS NULL AND p.status = 'active' ORDER BY p.requested_at`,
    values: [stationId],
  })
  return rows.map(toInstalled).filter(({ profile }) => !isOver(profile, at))
}

function toInstalled({ action, sent, transactionId, connector }: Row): InstalledProfile {
  const connectorId = typeof sent.connectorId === 'number' ? sent.connectorId : (connector ?? 0)
  return { connectorId, profile: sentProfile16(action, sent), transactionId }
}

function isOver({ validTo }: ChargingProfile16, at: Date): boolean {
  return validTo !== undefined && Date.parse(validTo) <= at.getTime()
}
