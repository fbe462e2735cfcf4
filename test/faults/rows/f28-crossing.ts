import { randomUUID } from 'node:crypto'
import { parseFrame, resultFrame } from '@busbar/ocpp'
import type { StationSocket } from '@busbar/simulator'
import { proveProperties } from '../properties.js'
import type { Random } from '../random.js'
import { inParallel, type Rig, result, token } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

const rules = {
  file: 'packages/gateway/src/connection/outbound.properties.test.ts',
  title: 'whatever crosses, comes late, twice or for nothing',
}

/** Answers what it is asked, but never in a plain way. */
function answerOddly(socket: StationSocket, random: Random): void {
  const answered: string[] = []
  socket.otherwise(() => (payload, messageId) => {
    const data = String(payload.data)
    const send = (id: string, said: string) => socket.send(resultFrame(id, { status: 'Accepted', data: said }))
    if (random.chance(0.3)) send(randomUUID(), 'for nothing')
    if (random.chance(0.3) && answered.length > 0) send(random.pick(answered), 'once more')
    // A call of its own under the very id of the call in hand: directions have ids of their own.
    if (random.chance(0.3)) socket.send(JSON.stringify([2, messageId, 'Heartbeat', {}]))
    const settle = () => {
      send(messageId, data)
      if (random.chance(0.3)) send(messageId, 'twice')
      answered.push(messageId)
    }
    if (random.chance(0.5)) setTimeout(settle, random.integer(1, 30))
    else settle()
    return new Promise(() => {})
  })
}

/** The station's own calls: every answer has to be the one to its question. */
async function ask(socket: StationSocket, random: Random, isDone: () => boolean, wrong: string[]): Promise<number> {
  let asked = 0
  while (!isDone()) {
    const known = random.chance(0.5)
    const answer = await socket.call('Authorize', { idTag: known ? token : `NOBODY-${asked}` })
    const { status } = result<{ idTagInfo: { status: string } }>(answer).idTagInfo as unknown as { status: string }
    if ((status === 'Accepted') !== known)
      wrong.push(`Authorize of ${known ? 'a known' : 'an unknown'} token: ${status}`)
    asked += 1
  }
  return asked
}

async function command(rig: Rig, stationId: string, wrong: string[]): Promise<void> {
  const data = randomUUID()
  const verdict = await rig.command(stationId, 'DataTransfer', { vendorId: 'x', data }, { wait: 30 })
  if (verdict.status !== 'accepted' || verdict.response?.data !== data) {
    wrong.push(`${stationId}: asked with ${data}, ${verdict.status} with ${JSON.stringify(verdict.response)}`)
  }
}

export const crossing = row({
  id: 'F28',
  fault: 'calls cross; results come late, twice, for nothing, and under the id of the other side',
  sizes: {
    small: { stations: 4, commands: 60, properties: 0 },
    full: { stations: 20, commands: 20_000, properties: 100_000 },
  },
  async run(rig, { stations, commands, properties }) {
    const ids = await rig.registerStations('CROSS', stations)
    const sockets = await Promise.all(ids.map((id, index) => rig.connect(id, index)))
    const wrong: string[] = []
    let [isDone, sent] = [false, 0]
    for (const socket of sockets) answerOddly(socket, rig.random.fork())
    const asking = Promise.all(sockets.map((socket) => ask(socket, rig.random.fork(), () => isDone, wrong)))
    await inParallel(Array(commands).keys(), stations * 3, async (index) => {
      if (rig.isHalfTime) return
      sent += 1
      await command(rig, ids[index % ids.length] ?? '', wrong)
    })
    isDone = true
    const asked = (await asking).reduce((sum, count) => sum + count, 0)
    const idsUsed = sockets.flatMap(({ frames }) =>
      frames.flatMap(({ direction, text }) => {
        const frame = parseFrame(text, 'ocpp1.6')
        return direction === 'in' && frame.kind === 'call' ? [frame.messageId] : []
      }),
    )
    for (const socket of sockets) socket.close()
    const proven = proveProperties(rules.file, rules.title, properties, () => rig.isOver)
    return {
      injected: `${sent} commands against ${asked} calls at ${stations} stations, ${proven.runs} interleavings through the rules`,
      figures: [
        none('wrong matches', wrong),
        exactly('properties refuted', proven.refuted, 0),
        exactly('CALLs sent', idsUsed.length, sent),
        shown('message ids', new Set(idsUsed).size),
      ],
    }
  },
})
