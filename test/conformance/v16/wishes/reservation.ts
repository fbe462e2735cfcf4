import { aNumber, inMinutes, nextId, time, wish } from './wish.js'

export interface Reserve {
  connector: number
  token: string
  group?: string
  minutes?: number
  reservationId?: number
}

/** The number of the reservation is the operator's where it writes the CALL itself, else Busbar's. */
export const reserve = ({ connector, token, group, minutes = 30, reservationId }: Reserve) => {
  const wished = { connectorId: connector, idTag: token, ...(group !== undefined && { parentIdTag: group }) }
  return wish(
    'ReserveNow',
    { ...wished, reservationId: reservationId ?? nextId(), expiryDate: inMinutes(minutes) },
    'reservations',
    {
      ...{ connector, token, expiresAt: inMinutes(minutes) },
      ...(group !== undefined && { group }),
      ...(reservationId !== undefined && { reservationId }),
    },
    { ...wished, reservationId: reservationId ?? aNumber, expiryDate: time },
  )
}

export const cancelReservation = (reservationId: number) =>
  wish('CancelReservation', { reservationId }, 'reservations/cancel', { reservationId })
