import { until } from '../../support/system.js'
import { readEvents } from '../../support/topics.js'
import { inParallel, type Rig, token } from '../rig.js'
import { none, row, shown } from '../row.js'

const prefix = 'EXPIRY'

interface Shown {
  id: string
  state: string
  station: string
  /** As on the wire; in this row no two have the same. */
  number: string
}

/** Every job of these reservations is due again, as if its removal had been lost. */
const putJobsAgain = `
  INSERT INTO job (service, kind, key, station_id, due_at)
  SELECT 'reservations', 'reservation-expiry', id::text, station_id, now() FROM reservation WHERE station_id LIKE $1
  ON CONFLICT (service, kind, key) DO UPDATE SET due_at = now()`

const readReservations = `SELECT id::text, state, station_id AS station, reservation_id::text AS number FROM reservation WHERE station_id LIKE $1`

/** The process that would have woken the jobs dies just before, where another is left to do it. */
async function killScheduler(rig: Rig): Promise<boolean> {
  const { workers } = rig.system
  if (workers.length < 2) return false
  workers[0]?.signal('SIGKILL')
  await workers[0]?.exited
  await rig.system.restartWorker(0)
  return true
}

export const repeatedJobs = row({
  id: 'F30',
  fault: 'the jobs that expire reservations run twice; who would run them dies when they fall due',
  sizes: {
    small: { stations: 4, reservations: 20, seconds: 8 },
    full: { stations: 50, reservations: 2_000, seconds: 120 },
  },
  async run(rig, { stations, reservations, seconds }) {
    const ids = await rig.registerStations(prefix, stations)
    const sockets = await Promise.all(ids.map((id, index) => rig.connect(id, index)))
    for (const socket of sockets) {
      socket.on('ReserveNow', () => ({ status: 'Accepted' }))
      socket.on('CancelReservation', () => ({ status: 'Accepted' }))
    }
    const expiresAt = new Date(Date.now() + seconds * 1_000).toISOString()
    const cancelled = new Set<string>()
    await inParallel(Array(reservations).keys(), stations, async (index) => {
      const id = ids[index % ids.length] ?? ''
      const body = { connector: Math.floor(index / ids.length) + 1, token, expiresAt, reservationId: index + 1 }
      const sent = await rig.system.api.expect<{ id: string }>('POST', `/stations/${id}/reservations?wait=20`, body)
      if (index % 4 !== 0) return
      // Ended otherwise before: these may never expire.
      cancelled.add(sent.id)
      await rig.system.api.expect('POST', `/stations/${id}/reservations/cancel?wait=20`, { reservationId: index + 1 })
    })
    await rig.query(putJobsAgain, [`${prefix}-%`])
    await until('the reservations fall due', () => Date.now() >= Date.parse(expiresAt), seconds * 1_000 + 1_000)
    await rig.query(putJobsAgain, [`${prefix}-%`])
    const wasKilled = await killScheduler(rig)
    const left = async () =>
      (await rig.query<Shown>(readReservations, [`${prefix}-%`])).filter(({ state }) => state === 'active')
    await until('no reservation is active', async () => (await left()).length === 0, 90_000)
    await rig.query(putJobsAgain, [`${prefix}-%`])
    await until(
      'no job is left',
      async () => {
        const [jobs] = await rig.query<{ count: number }>(
          `SELECT count(*)::int FROM job WHERE service = 'reservations'`,
        )
        return jobs?.count === 0
      },
      90_000,
    )
    await rig.drained()
    for (const socket of sockets) socket.close()

    const kept = await rig.query<Shown>(readReservations, [`${prefix}-%`])
    const expiries = new Map<string, Set<string>>()
    for (const { id, type, subject } of await readEvents(rig.system)) {
      if (type !== 'busbar.reservation.expired.v1') continue
      const name = subject.split('/').at(-1) ?? ''
      expiries.set(name, (expiries.get(name) ?? new Set()).add(id))
    }
    const times = (each: Shown) => expiries.get(each.number)?.size ?? 0
    const due = kept.filter(({ id }) => !cancelled.has(id))
    return {
      injected: `${kept.length} reservations, their jobs put back three times${wasKilled ? ', a worker killed' : ''}`,
      figures: [
        none(
          'expired never',
          due.filter((each) => each.state !== 'expired' || times(each) === 0).map((each) => JSON.stringify(each)),
        ),
        none(
          'expired twice',
          kept.filter((each) => times(each) > 1).map((each) => JSON.stringify(each)),
        ),
        none(
          'cancelled and expired',
          kept
            .filter((each) => cancelled.has(each.id) && (each.state !== 'cancelled' || times(each) > 0))
            .map((each) => JSON.stringify(each)),
        ),
        shown('expired', due.length),
      ],
    }
  },
})
