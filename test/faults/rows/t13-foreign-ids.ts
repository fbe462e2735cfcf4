import { meterMessage, startMessage, stopMessage } from '../charging.js'
import { type Rig, result, token } from '../rig.js'
import { none, row, shown } from '../row.js'

/** Where what is named lies. */
const attacked = ['charging_transaction', 'reservation', 'transfer']

const [foreignReservation, foreignRequest] = [4_711, 4_712]

/** Everything that any table holds of a station, so that a table which comes tomorrow is held too. */
async function readAll(rig: Rig, stationId: string): Promise<Map<string, string>> {
  const tables = await rig.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE column_name = 'station_id' AND table_schema = 'public' AND table_type = 'BASE TABLE'`,
  )
  const found = new Map<string, string>()
  for (const { name } of tables) {
    const [row] = await rig.query<{ all: string }>(
      `SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') AS all FROM "${name}" t WHERE station_id = $1`,
      [stationId],
    )
    found.set(name, row?.all ?? '')
  }
  return found
}

export const foreignIds = row({
  id: 'T13',
  fault: "a station uses another's transactionId, reservationId and requestId",
  sizes: { small: { tries: 60 }, full: { tries: 10_000 } },
  async run(rig, { tries }) {
    const [owner = '', thief = ''] = await rig.registerStations('FOREIGN', 2)
    const owned = await rig.connect(owner)
    const start = startMessage({ at: new Date(), wh: 1_000 })
    const { transactionId } = result<{ transactionId: number }>(await owned.call(start.action, start.payload))
    const first = meterMessage(transactionId, { at: new Date(), wh: 1_500 })
    result(await owned.call(first.action, first.payload))
    await ownRequests(rig, owner, owned)
    await rig.drained()
    const before = await readAll(rig, owner)

    const socket = await rig.connect(thief, 1)
    const attempts = [
      () => stopMessage(transactionId, { at: new Date(), wh: 9_000_000 }, token),
      () => meterMessage(transactionId, { at: new Date(), wh: 9_000_000 }),
      () => withReservation(startMessage({ at: new Date(), wh: 1_000 })),
      () => ({ action: 'LogStatusNotification', payload: { status: 'Uploaded', requestId: foreignRequest } }),
      () => ({
        action: 'SignedFirmwareStatusNotification',
        payload: { status: 'Installed', requestId: foreignRequest },
      }),
      () => ({ action: 'FirmwareStatusNotification', payload: { status: 'Installed' } }),
      () => ({ action: 'DiagnosticsStatusNotification', payload: { status: 'Uploaded' } }),
    ]
    let tried = 0
    const refused: string[] = []
    for (; tried < tries && !rig.isOver; tried += 1) {
      const { action, payload } = rig.random.pick(attempts)()
      const answer = await socket.call(action, payload)
      if (answer.kind === 'error') refused.push(`${action}: ${answer.code}`)
    }
    socket.close()
    await rig.drained()
    const after = await readAll(rig, owner)
    owned.close()
    const touched = [...after].filter(([table, all]) => all !== before.get(table)).map(([table]) => table)
    return {
      injected: `${tried} tries`,
      figures: [
        none('tables with other rows of the owner', touched),
        none(
          'tables where the owner has nothing to take',
          attacked.filter((table) => !before.get(table)),
        ),
        none('tries that came to no service', refused),
        shown('tables compared', after.size),
        shown(
          'rows of the owner',
          [...before.values()].reduce((sum, all) => sum + all.split('\n').filter(Boolean).length, 0),
        ),
      ],
    }
  },
})

const withReservation = ({ action, payload }: ReturnType<typeof startMessage>) => ({
  action,
  payload: { ...payload, reservationId: foreignReservation },
})

/** The owner holds a reservation and an upload under these ids. */
async function ownRequests(rig: Rig, owner: string, socket: Awaited<ReturnType<Rig['connect']>>): Promise<void> {
  socket.on('ReserveNow', () => ({ status: 'Accepted' }))
  socket.on('GetLog', () => ({ status: 'Accepted', filename: 'log.txt' }))
  const expiryDate = new Date(Date.now() + 3_600_000).toISOString()
  await rig.command(
    owner,
    'ReserveNow',
    { connectorId: 1, expiryDate, idTag: token, reservationId: foreignReservation },
    { wait: 20 },
  )
  await rig.command(
    owner,
    'GetLog',
    { logType: 'SecurityLog', requestId: foreignRequest, log: { remoteLocation: 'https://logs.example/' } },
    { wait: 20 },
  )
}
