import type { Connector, DesiredAvailability, Evse } from '@busbar/store'
import type { z } from 'zod'
import { toNullableTime, toTime } from '../schemas.js'
import type { Desired, StationConnector } from './station-schemas.js'

type Place = `${number}/${number}`
type Reported = z.infer<typeof StationConnector>

const placeOf = (evse: number, connector: number): Place => `${evse}/${connector}`
const wholeStation: Place = '0/0'

/** What the station reports of its connectors and what was asked of them; what it never reported shows what was asked. */
export function toEvses(
  evses: readonly (Evse & { connectors: Connector[] })[],
  wishes: readonly DesiredAvailability[],
): { number: number; connectors: Reported[] }[] {
  const reported = new Map<Place, Reported>()
  for (const { number, connectors } of evses) {
    for (const connector of connectors) reported.set(placeOf(number, connector.number), toReported(connector))
  }
  for (const wish of wishes) {
    const place = placeOf(wish.evseNumber, wish.connectorNumber)
    const connector = reported.get(place) ?? { ...silent, number: wish.connectorNumber }
    reported.set(place, { ...connector, desired: toDesired(wish, statusesOf(place, reported)) })
  }
  const numbers = [...new Set([...evses.map(({ number }) => number), ...wishes.map(({ evseNumber }) => evseNumber)])]
  return numbers
    .sort((left, right) => left - right)
    .map((number) => ({
      number,
      connectors: [...reported]
        .filter(([place]) => place.startsWith(`${number}/`))
        .map(([, connector]) => connector)
        .sort((left, right) => left.number - right.number),
    }))
}

/** A station that says nothing of itself is as its connectors are. */
function statusesOf(place: Place, reported: ReadonlyMap<Place, Reported>): (string | null)[] {
  const own = reported.get(place)?.status ?? null
  if (own !== null || place !== wholeStation) return [own]
  return [...reported].filter(([each]) => each !== wholeStation).map(([, { status }]) => status)
}

function toDesired(
  { operative, outcome, requestedAt, answeredAt }: DesiredAvailability,
  statuses: readonly (string | null)[],
): z.infer<typeof Desired> {
  const isSo = (status: string | null) => status !== null && (status !== 'Unavailable') === operative
  return {
    operative,
    outcome: outcome as z.infer<typeof Desired>['outcome'],
    inEffect: statuses.length > 0 && statuses.every(isSo),
    requestedAt: toTime(requestedAt),
    answeredAt: toNullableTime(answeredAt),
  }
}

const silent = {
  status: null,
  errorCode: null,
  info: null,
  vendorId: null,
  vendorErrorCode: null,
  statusAt: null,
  desired: null,
}

function toReported(connector: Connector): Reported {
  const { number, status, errorCode, info, vendorId, vendorErrorCode, statusAt } = connector
  return {
    number,
    status,
    errorCode,
    info,
    vendorId,
    vendorErrorCode,
    statusAt: toNullableTime(statusAt),
    desired: null,
  }
}
