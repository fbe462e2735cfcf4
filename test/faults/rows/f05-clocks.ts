import { type Charged, holdAgainstBooks, meterMessage, startMessage, stopMessage } from '../charging.js'
import type { Random } from '../random.js'
import { type Rig, result, token } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

const prefix = 'CLOCK'
const yearMs = 365 * 86_400_000

/** What a station takes for now. */
const clocks: Record<string, (random: Random) => number> = {
  right: () => Date.now(),
  'of 1970': () => Date.now() - Date.UTC(2026, 0, 1),
  'ten years ahead': () => Date.now() + 10 * yearMs,
  'an hour behind': () => Date.now() - 3_600_000,
  jumping: (random) => Date.now() + random.integer(-20, 20) * yearMs,
}

interface Kept {
  station: string
  said: Date
  received: Date
}

export const wrongClocks = row({
  id: 'F5',
  fault: `station clocks ${Object.keys(clocks).join(', ')}`,
  sizes: { small: { sessions: 3 }, full: { sessions: 500 } },
  async run(rig, { sessions }) {
    const kinds = Object.keys(clocks)
    const ids = await rig.registerStations(prefix, kinds.length)
    const beganAt = new Date()
    const charges: Charged[] = []
    const said = new Set<string>()
    const untrue: string[] = []
    await Promise.all(
      kinds.map(async (kind, index) => {
        const [id = '', random] = [ids[index], rig.random.fork()]
        const socket = await rig.connect(id, index)
        let wh = 10_000
        const read = (addedWh: number) => {
          wh += addedWh
          const at = new Date(clocks[kind]?.(random) ?? 0)
          said.add(`${id} ${at.toISOString()}`)
          return { at, wh }
        }
        for (let count = 0; count < sessions && !rig.isOver; count += 1) {
          const meterStartWh = wh
          const start = startMessage(read(0))
          const { transactionId } = result<{ transactionId: number }>(await socket.call(start.action, start.payload))
          const messages = [1, 2, 3].map(() => meterMessage(transactionId, read(random.integer(1, 200))))
          for (const { action, payload } of [...messages, stopMessage(transactionId, read(50), token)]) {
            result(await socket.call(action, payload))
          }
          charges.push({ stationId: id, transactionId, wh: wh - meterStartWh, readings: messages.length })
        }
        const { currentTime } = result<{ currentTime: string }>(await socket.call('Heartbeat', {}))
        if (Math.abs(Date.parse(currentTime) - Date.now()) > 2_000) untrue.push(`${kind}: told ${currentTime}`)
        socket.close()
      }),
    )
    await rig.drained()
    const kept = await rig.query<Kept>(
      `SELECT station_id AS station, sampled_at AS said, received_at AS received FROM meter_reading
       WHERE station_id LIKE $1
       UNION ALL SELECT station_id, at, received_at FROM transaction_step WHERE station_id LIKE $1`,
      [`${prefix}-%`],
    )
    const untimely = kept.filter(
      ({ station, said: at, received }) =>
        !said.has(`${station} ${at.toISOString()}`) || received < beganAt || received > new Date(),
    )
    const [flagged] = await rig.query<{ count: number }>(
      `SELECT count(*)::int FROM charging_transaction WHERE station_id = ANY($1) AND 'clock' = ANY(flags)`,
      [[ids[kinds.indexOf('of 1970')], ids[kinds.indexOf('ten years ahead')]]],
    )
    return {
      injected: `${charges.length} sessions at ${ids.length} stations`,
      figures: [
        ...(await holdAgainstBooks(rig, prefix, charges)),
        none(
          'kept without the time said or the time received',
          untimely.map((each) => JSON.stringify(each)),
        ),
        exactly(
          'wrong clocks flagged',
          flagged?.count ?? 0,
          charges.filter(({ stationId }) => wrong(stationId, ids)).length,
        ),
        none('Heartbeats that tell another time', untrue),
        ...(await skewSeen(rig)),
        await gatewaysApart(rig),
      ],
    }
  },
})

const wrong = (stationId: string, ids: string[]) => stationId === ids[1] || stationId === ids[2]

/** What the operator's metrics say of it. */
async function skewSeen(rig: Rig) {
  const text = (await rig.metrics('workers')).join('\n')
  const counts = [...text.matchAll(/^busbar_station_clock_skew_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)]
  const upTo = (le: string) =>
    counts.filter(([, limit]) => limit === le).reduce((sum, [, , count]) => sum + Number(count), 0)
  const behind = upTo('-31536000')
  const ahead = upTo('+Inf') - upTo('31536000')
  return [
    none('skews missing in the metrics', behind > 0 && ahead > 0 ? [] : [`${behind} behind, ${ahead} ahead`]),
    shown('over a year behind', behind),
    shown('over a year ahead', ahead),
  ]
}

async function gatewaysApart(rig: Rig) {
  const offsets = (await rig.metrics('gateways')).flatMap((text) => {
    const found = /^busbar_gateway_clock_offset_seconds (\S+)$/m.exec(text)
    return found ? [Number(found[1])] : []
  })
  const apart = Math.max(...offsets) - Math.min(...offsets)
  return none('gateways over a second apart', apart <= 1 ? [] : [`${apart} s, ${offsets.length} gateways`])
}
