import type { Answer, StationSocket } from '@busbar/simulator'
import { type Message, startMessage, stopMessage } from '../charging.js'
import type { Random } from '../random.js'
import { result, token } from '../rig.js'
import { exactly, none, row } from '../row.js'

const prefix = 'STOP'

interface Reading {
  at: Date
  wh: number
}

/** What stations stop with. `known` is the id of the session that really ran; the Wh of it count where it `ends`. */
const oddities: Record<string, (known: number, end: Reading, random: Random) => { stops: Message[]; ends: boolean }> = {
  'an id that was never given': (_known, end, random) => ({
    stops: [stopMessage(random.integer(1, 2 ** 31 - 1), end, token)],
    ends: false,
  }),
  'an id beyond 2^53': (_known, end, random) => ({
    stops: [stopMessage(2 ** 53 + 2 * random.integer(1, 2 ** 30), end, token)],
    ends: false,
  }),
  '-1': (_known, end) => ({ stops: [stopMessage(-1, end, token)], ends: true }),
  '-1 without idTag': (_known, end) => ({ stops: [stopMessage(-1, end)], ends: true }),
  '0': (_known, end) => ({ stops: [stopMessage(0, end, token)], ends: true }),
  'a negative id of its own': (_known, end) => ({ stops: [stopMessage(-77, end, token)], ends: true }),
  'no idTag': (known, end) => ({ stops: [stopMessage(known, end)], ends: true }),
  'an unknown idTag': (known, end) => ({ stops: [stopMessage(known, end, 'NOBODY')], ends: true }),
  'another meterStop afterwards': (known, end) => ({
    stops: [stopMessage(known, end, token), stopMessage(known, { ...end, wh: end.wh + 4_000 }, token)],
    ends: true,
  }),
  'no timestamp': (known, end) => {
    const { action, payload } = stopMessage(known, end, token)
    return { stops: [{ action, payload: { ...payload, timestamp: undefined } }], ends: true }
  },
  'a reason nobody knows': (known, end) => {
    const { action, payload } = stopMessage(known, end, token)
    return { stops: [{ action, payload: { ...payload, reason: 'Bored' } }], ends: true }
  },
}

export const oddStops = row({
  id: 'F4',
  fault: 'Stops with unknown ids, -1, 0, ids of their own, without idTag or time, with a second meterStop',
  sizes: { small: { stations: 5, sessions: 60 }, full: { stations: 20, sessions: 20_000 } },
  async run(rig, { stations, sessions }) {
    const ids = await rig.registerStations(prefix, stations)
    const [refused, wrongAnswers]: [string[], string[]] = [[], []]
    let [began, sent, conflicts, expectedWh] = [0, 0, 0, 0]

    const stop = async (socket: StationSocket, kind: string, { action, payload }: Message) => {
      const answer = await socket.call(action, payload)
      sent += 1
      if (answer.kind === 'error') refused.push(`${kind}: ${answer.code}`)
      else if (!fits(answer, payload)) wrongAnswers.push(`${kind}: ${JSON.stringify(answer.payload)}`)
    }
    await Promise.all(
      ids.map(async (id, index) => {
        const random = rig.random.fork()
        const socket = await rig.connect(id, index)
        let clockMs = Date.UTC(2026, 0, 1)
        let wh = 100_000
        for (let turn = index; began < sessions && !rig.isOver; turn += 1) {
          began += 1
          const kind = Object.keys(oddities)[turn % Object.keys(oddities).length] ?? ''
          const start = startMessage({ at: new Date(clockMs), wh })
          const { transactionId } = result<{ transactionId: number }>(await socket.call(start.action, start.payload))
          const addedWh = random.integer(1, 9_000)
          wh += addedWh
          const end = { at: new Date(clockMs + 1_800_000), wh }
          const { stops, ends } = oddities[kind]?.(transactionId, end, random) ?? { stops: [], ends: false }
          for (const message of stops) await stop(socket, kind, message)
          conflicts += stops.length - 1
          expectedWh += addedWh
          // The real one, where the odd one ended nothing.
          if (!ends) await stop(socket, kind, stopMessage(transactionId, end, token))
          clockMs += 3_600_000
        }
        socket.close()
      }),
    )
    await rig.drained()
    const [books] = await rig.query<{ stops: number; conflicts: number; wh: number; open: number }>(
      `SELECT (SELECT count(*)::int FROM transaction_step WHERE station_id LIKE $1 AND kind = 'StopTransaction') AS stops,
              count(*) FILTER (WHERE 'conflict' = ANY(flags))::int AS conflicts,
              coalesce(sum(energy_wh), 0)::float8 AS wh,
              count(*) FILTER (WHERE started_at IS NOT NULL AND ended_at IS NULL)::int AS open
       FROM charging_transaction WHERE station_id LIKE $1`,
      [`${prefix}-%`],
    )
    return {
      injected: `${sent} Stops of ${began} sessions at ${stations} stations`,
      figures: [
        none('CALLERRORs', refused),
        none('other answers', wrongAnswers),
        exactly('Stops kept', books?.stops ?? 0, sent),
        exactly('conflicts flagged', books?.conflicts ?? 0, conflicts),
        exactly('sessions left open', books?.open ?? -1, 0),
        exactly('Wh', books?.wh ?? 0, expectedWh),
      ],
    }
  },
})

/** idTagInfo exactly when the station named an idTag. */
function fits(answer: Extract<Answer, { kind: 'result' }>, { idTag }: Record<string, unknown>): boolean {
  return idTag === undefined ? Object.keys(answer.payload).length === 0 : 'idTagInfo' in answer.payload
}
