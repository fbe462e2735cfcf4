import type { StationSocket } from '@busbar/simulator'
import { readEvents } from '../../support/topics.js'
import { type Charged, holdAgainstBooks, meterMessage, startMessage, stopMessage } from '../charging.js'
import { Latencies, result, token } from '../rig.js'
import { atMost, exactly, none, row } from '../row.js'
import { addressOf, tryUpgrade } from '../upgrade.js'

const prefix = 'DOUBLE'
const takenOver = 4409

/** Who has the secret is the station: the newest connection owns it, and what the older one measured counts too. */
export const duplicateConnections = row({
  id: 'T3',
  fault: 'a second connection of a station that is connected, without its secret and with it',
  sizes: { small: { tries: 10 }, full: { tries: 100 } },
  async run(rig, { tries }) {
    const [id = ''] = await rig.registerStations(prefix, 1)
    let socket: StationSocket = await rig.connect(id)
    const start = startMessage({ at: new Date(), wh: 1_000 })
    const { transactionId } = result<{ transactionId: number }>(await socket.call(start.action, start.payload))
    const charged: Charged = { stationId: id, transactionId, wh: 0, readings: 0 }
    const measure = async (of: StationSocket) => {
      const { action, payload } = meterMessage(transactionId, { at: new Date(), wh: 1_000 + ++charged.readings })
      result(await of.call(action, payload))
    }
    const letIn: string[] = []
    const disturbed: string[] = []
    const notClosed: string[] = []
    const notCommanded: string[] = []
    const takeovers = new Latencies()
    let connections = 1
    for (let turn = 0; turn < tries && !rig.isOver; turn += 1) {
      const { port } = rig.system.gateways[turn % rig.system.gateways.length] ?? { port: 0 }
      const { status } = await tryUpgrade(port, id, turn % 2 === 0 ? null : 'stolen?', addressOf(turn))
      if (status !== 401) letIn.push(String(status))
      await measure(socket).catch((cause: unknown) => disturbed.push(String(cause)))

      const older = socket
      socket = await rig.connect(id, turn)
      connections += 1
      const { code } = await takeovers.measure(older.closed)
      if (code !== takenOver) notClosed.push(`closed with ${code}`)
      socket.on('ClearCache', () => ({ status: 'Accepted' }))
      await measure(socket)
      const { status: verdict } = await rig.command(id, 'ClearCache', {}, { wait: 10 })
      if (verdict !== 'accepted') notCommanded.push(verdict)
    }
    charged.wh = charged.readings + 1
    const stop = stopMessage(transactionId, { at: new Date(), wh: 1_000 + charged.wh }, token)
    result(await socket.call(stop.action, stop.payload))
    socket.close()
    await rig.drained()
    const told = (await readEvents(rig.system)).filter(
      ({ type, source }) => type === 'busbar.station.connected.v1' && source.endsWith(`/${id}`),
    )
    return {
      injected: `${connections - 1} strangers and ${connections - 1} newer connections`,
      figures: [
        none('strangers let in', letIn),
        none('sessions disturbed by strangers', disturbed),
        none('older connections not closed as taken over', notClosed),
        none('commands that missed the newest', notCommanded),
        exactly('connections told as events', new Set(told.map((event) => event.id)).size, connections),
        ...(await holdAgainstBooks(rig, prefix, [charged])),
        atMost('slowest takeover', takeovers.at(1), 2_000, 'ms'),
      ],
    }
  },
})
