import type { StationSocket } from '@busbar/simulator'
import { type Message, meterMessage, startMessage, stopMessage } from '../charging.js'
import { proveProperties } from '../properties.js'
import type { Random } from '../random.js'
import { result, token } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

const rules = {
  file: 'packages/services/src/transactions/convergence.properties.test.ts',
  title: '1.6 transaction comes to one state',
}

/** Any registers, rising or not, and a Stop that fits or not. */
function drawHistory(random: Random, beganAt: Date) {
  const at = (minute: number) => new Date(beganAt.getTime() + minute * 60_000)
  const wh = () => random.integer(0, 40_000)
  const start = startMessage({ at: beganAt, wh: wh() })
  const readings = Array.from({ length: random.integer(0, 6) }, () => ({ at: at(random.integer(0, 60)), wh: wh() }))
  const end = { at: at(random.integer(30, 60)), wh: random.chance(0.1) ? -1 : wh() }
  const rest = (transactionId: number): Message[] => [
    ...readings.map((reading) => meterMessage(transactionId, reading)),
    ...(random.chance(0.9) ? [stopMessage(transactionId, end, token)] : []),
  ]
  return { start, rest }
}

async function say(socket: StationSocket, messages: readonly Message[]): Promise<void> {
  for (const { action, payload } of messages) result(await socket.call(action, payload))
}

interface Final {
  began: string
  state: string
}

/** All that must not depend on the order: what arrival left behind (who was first, what came late) stands in `flags`. */
const finalStates = `
  SELECT t.started_at::text AS began,
    concat_ws(' ', t.status, t.energy_wh, t.energy_source, t.held_reasons, t.ended_at, t.stopped_reason, t.token_status,
      (SELECT count(DISTINCT (r.sampled_at, r.reading)) FROM meter_reading r WHERE r.transaction_id = t.id),
      (SELECT count(*) FROM transaction_step s WHERE s.transaction_id = t.id)) AS state
  FROM charging_transaction t WHERE t.station_id = $1 ORDER BY 1`

export const histories = row({
  id: 'F2',
  fault: 'the messages of a session in another order, late after the Stop, and again',
  sizes: {
    small: { pairs: 4, histories: 12, properties: 0 },
    full: { pairs: 20, histories: 20_000, properties: 1_000_000 },
  },
  async run(rig, { pairs, histories: wanted, properties }) {
    const straight = await rig.registerStations('STRAIGHT', pairs)
    const shuffled = await rig.registerStations('SHUFFLED', pairs)
    let played = 0
    await Promise.all(
      straight.map(async (id, index) => {
        const random = rig.random.fork()
        const [inOrder, anyOrder] = [await rig.connect(id, index), await rig.connect(shuffled[index] ?? '', index + 1)]
        for (let turn = 0; played < wanted && !rig.isHalfTime; turn += 1) {
          played += 1
          const { start, rest } = drawHistory(random, new Date(Date.UTC(2026, 0, 1) + turn * 3_600_000))
          const [one, other] = [await begin(inOrder, start), await begin(anyOrder, start)]
          const messages = rest(one)
          const again = random.shuffled([...messages, ...messages.filter(() => random.chance(0.5))])
          await say(inOrder, messages)
          await say(
            anyOrder,
            again.map((message) => named(message, other)),
          )
        }
      }),
    )
    await rig.drained()
    const different: string[] = []
    for (const [index, id] of straight.entries()) {
      const expected = await rig.query<Final>(finalStates, [id])
      const found = new Map(
        (await rig.query<Final>(finalStates, [shuffled[index]])).map((each) => [each.began, each.state]),
      )
      for (const { began, state } of expected) {
        if (found.get(began) !== state) different.push(`${id} ${began}: ${state}, shuffled ${found.get(began)}`)
      }
    }
    const proven = proveProperties(rules.file, rules.title, properties, () => rig.isOver)
    return {
      injected: `${played} histories through the running system, ${proven.runs} through the rules`,
      figures: [
        none('histories that end otherwise in another order', different),
        exactly('properties refuted', proven.refuted, 0),
        shown('histories', played + proven.runs),
      ],
    }
  },
})

async function begin(socket: StationSocket, { action, payload }: Message): Promise<number> {
  return result<{ transactionId: number }>(await socket.call(action, payload)).transactionId
}

const named = ({ action, payload }: Message, transactionId: number) => ({
  action,
  payload: { ...payload, transactionId },
})
