import type { StationSocket } from '@busbar/simulator'
import { startMessage, stopMessage } from '../charging.js'
import { type Ending, type MeterCase, type MeterReading, meterCases } from '../meter-cases.js'
import { result, token } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

const prefix = 'METER'
const beganAt = Date.UTC(2026, 0, 10, 12)
const at = (minute: number) => new Date(beganAt + minute * 60_000)

interface Booked {
  station: string
  status: string
  wh: number | null
  held: string[]
}

export const oddMeters = row({
  id: 'F6',
  fault: 'meters that reset, fall, jump, count from 0, say -1 or mix kWh and Wh',
  sizes: { small: { rounds: 1 }, full: { rounds: 1 } },
  async run(rig) {
    const ids = await rig.registerStations(prefix, meterCases.length, (index) => {
      const { maxPowerW } = meterCases[index] ?? {}
      return maxPowerW === undefined ? {} : { switches: { maxPowerW } }
    })
    await Promise.all(
      meterCases.map(async (meterCase, index) => {
        const socket = await rig.connect(ids[index] ?? '', index)
        await charge(socket, meterCase)
        socket.close()
      }),
    )
    await rig.drained()
    const booked = await rig.query<Booked>(
      `SELECT station_id AS station, status, energy_wh::float8 AS wh, held_reasons AS held FROM charging_transaction
       WHERE station_id LIKE $1`,
      [`${prefix}-%`],
    )
    const [wrongBills, otherEndings]: [string[], string[]] = [[], []]
    for (const [index, { name, trueWh, ending }] of meterCases.entries()) {
      const rows = booked.filter(({ station }) => station === ids[index])
      const [found] = rows
      const became = found ? endingOf(found) : 'lost'
      if (became !== ending || rows.length !== 1) otherEndings.push(`${name}: ${became}, ${JSON.stringify(rows)}`)
      if (became === 'billed' && found?.wh !== trueWh) wrongBills.push(`${name}: ${found?.wh} Wh of ${trueWh}`)
    }
    const held = booked.filter((each) => endingOf(each) === 'held')
    return {
      injected: `${meterCases.length} cases from the field`,
      figures: [
        none('wrong bills', wrongBills),
        none('other endings than expected', otherEndings),
        exactly('sessions kept', booked.length, meterCases.length),
        shown('held', held.length),
      ],
    }
  },
})

function endingOf({ status, held }: Booked): Ending {
  if (status !== 'ended') return 'unfinished'
  return held.length > 0 ? 'held' : 'billed'
}

async function charge(socket: StationSocket, { start, readings, stop, stopId }: MeterCase): Promise<void> {
  const { action, payload } = startMessage({ at: at(0), wh: start })
  const { transactionId } = result<{ transactionId: number }>(await socket.call(action, payload))
  const sendStop = async () => {
    if (stop === null) return
    const message = stopMessage(stopId ?? transactionId, { at: at(60), wh: stop }, token)
    result(await socket.call(message.action, message.payload))
  }
  const isLate = ({ minute }: MeterReading) => minute > 60
  const send = async (each: MeterReading[]) => {
    for (const reading of each) result(await socket.call('MeterValues', toMeterValues(reading, transactionId)))
  }
  await send(readings.filter((reading) => !isLate(reading)))
  await sendStop()
  await send(readings.filter(isLate))
}

function toMeterValues({ minute, value, unit = 'Wh', connector = 1, ...rest }: MeterReading, known: number) {
  const transactionId = 'transactionId' in rest ? rest.transactionId : known
  return {
    connectorId: connector,
    ...(typeof transactionId === 'number' && { transactionId }),
    meterValue: [{ timestamp: at(minute).toISOString(), sampledValue: [{ value, unit }] }],
  }
}
