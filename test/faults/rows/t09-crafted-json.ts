import { redactFrame } from '@busbar/ocpp'
import type { StationSocket } from '@busbar/simulator'
import { until } from '../../support/system.js'
import {
  type CraftedValue,
  craftedValues,
  type Dialect,
  dialects,
  type Place,
  Raw,
  sessionWh,
  toJson,
} from '../crafted.js'
import { inParallel, type Rig } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

interface Crafted {
  dialect: Dialect
  place: Place
  value: CraftedValue
}

const messages = ['start', 'meter', 'stop'] as const
const firstWh = 1_000n
/** What is no message at all is kept up to 30 times a connection. */
const perConnection = 30

const all: readonly Crafted[] = dialects.flatMap((dialect) =>
  dialect.places.flatMap((place) => craftedValues.map((value) => ({ dialect, place, value }))),
)
const nameOf = ({ dialect, place, value }: Crafted) =>
  `${dialect.protocol} ${place.message} ${place.path.join('.')}: ${value.name}`

/** What a session said and was told. */
interface Told {
  crafted: Crafted
  sent: string[]
  /** 1.6: ours. null: it never began. */
  transactionId: string | null
  refused: Place['message'][]
}

export const craftedJson = row({
  id: 'T9',
  fault:
    'deep and wide JSON, __proto__, double keys, numbers beyond numbers, lone surrogates and NUL, wherever a session has a field',
  sizes: { small: { cases: 100, stations: 8 }, full: { cases: all.length, stations: 10 } },
  async run(rig, { cases, stations }) {
    const pids = rig.processIds
    const earlier = new Set((await rig.system.logs()).split('\n'))
    const ids = await rig.registerStations('CRAFT', stations)
    const left = rig.random.shuffled(all).slice(0, cases)
    const faults: string[] = []
    const told: Told[] = []
    await inParallel(ids.entries(), stations, async ([index, id]) => {
      const { protocol, boot } = dialects[index % dialects.length] ?? dialects[0] ?? { protocol: '', boot: {} }
      const own = left.filter(({ dialect }) => dialect.protocol === protocol)
      const share = own.filter((_, at) => at % (stations / dialects.length) === Math.floor(index / dialects.length))
      let socket = await rig.open(id, index, { protocols: [protocol] })
      await socket.call('BootNotification', boot)
      for (const [number, crafted] of share.entries()) {
        if (rig.isOver) break
        if (number % perConnection === perConnection - 1) {
          socket.close()
          await socket.closed
          socket = await rig.open(id, index, { protocols: [protocol] })
        }
        const session = await charge(id, socket, crafted, number).catch((cause: unknown) => String(cause))
        if (typeof session === 'string') faults.push(`${nameOf(crafted)}: ${session}`)
        else told.push(session)
      }
      socket.close()
    })
    await rig.drained()
    const logged = (await rig.system.logs())
      .split('\n')
      .filter((line) => !earlier.has(line) && /^{"level":[56]0/.test(line))
    const dead = await rig.query<{ error: string }>(`SELECT error FROM dead_letter WHERE station_id LIKE 'CRAFT-%'`)
    const lost = told.flatMap(({ crafted, refused }) => {
      const mayBe = crafted.place.isNeeded || crafted.value.isTooDeep
      return refused.some((message) => message !== crafted.place.message || !mayBe) ? [nameOf(crafted)] : []
    })
    return {
      injected: `${told.length} sessions, each with one of ${craftedValues.length} values in one of ${dialects.reduce((sum, { places }) => sum + places.length, 0)} places`,
      figures: [
        none('without an answer', faults),
        none('refused for a field that nobody bills', lost),
        none('frames not kept byte for byte, but for secrets', await findLostFrames(rig, told)),
        none('sessions with other energy', await findOtherEnergy(rig, told)),
        none(
          'messages that no service could take',
          dead.map(({ error }) => error),
        ),
        none('errors in the log', logged),
        exactly('processes that live', rig.processIds.filter((pid) => pids.includes(pid)).length, pids.length),
        shown('refused', told.filter(({ refused }) => refused.length > 0).length),
      ],
    }
  },
})

/** Start, reading and end. @throws when one of them is not answered */
async function charge(station: string, socket: StationSocket, crafted: Crafted, number: number): Promise<Told> {
  const { dialect, place, value } = crafted
  const told: Told = { crafted, sent: [], transactionId: null, refused: [] }
  const begin = beginOf(crafted)
  const session = {
    at: new Date(Date.now() - 3_600_000 + number * 10_000),
    transactionId: `${station}-${number}` as string | number,
    beginWh: new Raw(String(begin)),
    endWh: new Raw(String(begin + BigInt(sessionWh))),
  }
  for (const message of messages) {
    const messageId = `${message}${number}`
    const fields = dialect.fields(message, session)
    const payload =
      place.message === message ? toJson(fields, place.path, value) : toJson(fields, ['x'], { name: '', json: '0' })
    const text = `[2,"${messageId}","${dialect.actions[message]}",${payload}]`
    const seen = socket.frames.length
    socket.send(text)
    told.sent.push(text)
    const answer = await until(`an answer to ${messageId}`, () => {
      if (!socket.isOpen) throw new Error('the gateway closed')
      const found = socket.frames
        .slice(seen)
        .find(({ direction, text: said }) => direction === 'in' && said.includes(`"${messageId}"`))
      return found && (JSON.parse(found.text) as [number, string, { transactionId?: number }])
    })
    if (answer[0] !== 3) told.refused.push(message)
    if (message === 'start' && answer[0] !== 3) return told
    if (message === 'start') {
      session.transactionId = answer[2].transactionId ?? session.transactionId
      told.transactionId = String(session.transactionId)
    }
  }
  return told
}

/** So that begin and end are as far apart as in every session, whichever of the two is crafted. */
function beginOf({ place, value: { digits } }: Crafted): bigint {
  if (!place.isRegister || digits === undefined) return firstWh
  return place.message === 'start' ? BigInt(digits) : BigInt(digits) - BigInt(sessionWh)
}

async function findLostFrames(rig: Rig, told: readonly Told[]): Promise<string[]> {
  const kept = await rig.query<{ frame: Buffer }>(
    `SELECT frame FROM journal_frame WHERE station_id LIKE 'CRAFT-%' AND direction = 'in'`,
  )
  const texts = new Set(kept.map(({ frame }) => frame.toString()))
  return told.flatMap(({ crafted, sent }) =>
    sent.every((text) => texts.has(redactFrame(crafted.dialect.protocol, text))) ? [] : [nameOf(crafted)],
  )
}

/** The energy of all whose registers can be read, and whose end was taken. */
async function findOtherEnergy(rig: Rig, told: readonly Told[]): Promise<string[]> {
  const rows = await rig.query<{ id: string; wh: string | null }>(
    `SELECT a.ocpp_id AS id, t.energy_wh::text AS wh FROM transaction_alias a JOIN charging_transaction t ON t.id = a.transaction_id
     WHERE t.station_id LIKE 'CRAFT-%'`,
  )
  const byId = new Map(rows.map(({ id, wh }) => [id, wh]))
  return told.flatMap(({ crafted, transactionId, refused }) => {
    const { place, value } = crafted
    const isUnreadable = place.isRegister && value.digits === undefined && value.json !== ''
    if (transactionId === null || isUnreadable || refused.includes('stop')) return []
    const wh = byId.get(transactionId)
    // A negative meterStart is firmware's word for "no reading".
    const isUnknown = crafted.dialect.protocol === 'ocpp1.6' && beginOf(crafted) < 0n
    return wh === (isUnknown ? null : String(sessionWh)) ? [] : [`${nameOf(crafted)}: ${wh} Wh`]
  })
}
