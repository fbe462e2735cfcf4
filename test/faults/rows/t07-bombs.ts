import { setTimeout as sleep } from 'node:timers/promises'
import { constants, deflateRawSync } from 'node:zlib'
import { Neighbours, password, type Rig } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'
import { compression, openRaw } from '../upgrade.js'
import { type Ending, opcodes, toWire, WireStation } from '../wire.js'

const mebibyte = 1024 * 1024
/** Longer than a closing handshake may take. */
const patienceMs = 8_000
const policyOrSize = [1008, 1009]

interface Size {
  /** One after the other, of each kind. */
  rounds: number
  bombMiB: number
  fragments: number
}

interface Attack {
  run(station: WireStation, size: Size): Promise<void>
  /** How it may end; 'not': it need not. */
  endings: readonly (Ending | 'not')[]
}

/** Of so many blanks, in a frame of a thousandth of it: whole blocks, each understood without the one before. */
function bomb(mebibytes: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(mebibyte, ' '), { finishFlush: constants.Z_FULL_FLUSH })
  const endOfBlock = 4
  return Buffer.concat(Array.from({ length: mebibytes }, () => block)).subarray(0, -endOfBlock)
}

/** The same bytes, over and over, until the gateway has enough. */
async function flood(station: WireStation, bytes: Buffer, times: number): Promise<void> {
  const perWrite = Math.max(1, Math.floor(65_536 / bytes.length))
  const chunk = Buffer.concat(Array.from({ length: perWrite }, () => bytes))
  for (let sent = 0; sent < times && !station.isGone; sent += perWrite) await station.write(chunk)
}

const fragment = (payload: string | Buffer) => toWire({ opcode: opcodes.continuation, fin: false, payload })
const begin = (station: WireStation) => station.send({ opcode: opcodes.text, fin: false, payload: '[' })

const attacks: Readonly<Record<string, Attack>> = {
  'a frame that says it is a tebibyte long': {
    run: (station) => station.send({ opcode: opcodes.text, claims: 1n << 40n }),
    endings: [1009],
  },
  'a frame of 8 MiB': {
    run: (station) => station.send({ opcode: opcodes.text, payload: Buffer.alloc(8 * mebibyte, ' ') }),
    endings: [1009],
  },
  'a small frame that inflates': {
    run: (station, { bombMiB }) => station.send({ opcode: opcodes.text, reserved: 4, payload: bomb(bombMiB) }),
    endings: [1009],
  },
  'fragments that inflate': {
    async run(station, { bombMiB }) {
      const part = bomb(1)
      await station.send({ opcode: opcodes.text, fin: false, reserved: 4, payload: part })
      await flood(station, fragment(Buffer.concat([part, Buffer.from([0, 0, 255, 255])])), bombMiB)
    },
    endings: [1009, 1007],
  },
  'fragments of a byte': {
    async run(station, { fragments }) {
      await begin(station)
      await flood(station, fragment(' '), fragments)
    },
    endings: policyOrSize,
  },
  'fragments without end': {
    async run(station, { fragments }) {
      await begin(station)
      await flood(station, fragment(Buffer.alloc(16_384, ' ')), fragments)
    },
    endings: policyOrSize,
  },
  'a frame that comes byte by byte': {
    async run(station, { fragments }) {
      await station.write(toWire({ opcode: opcodes.text, claims: BigInt(4 * mebibyte) }))
      for (let sent = 0; sent < fragments && !station.isGone; sent += 1) {
        await station.write(Buffer.from(' '))
        // Else the bytes would go in one piece.
        await new Promise(setImmediate)
      }
    },
    // The kernel may have put many together; then it was no attack.
    endings: [1008, 'not'],
  },
  'pings, and no pong read': {
    async run(station, { fragments }) {
      station.socket.pause()
      await flood(station, toWire({ opcode: opcodes.ping, payload: Buffer.alloc(125) }), fragments)
      station.socket.resume()
    },
    endings: [null],
  },
}

export const bombs = row<Size>({
  id: 'T7',
  fault: 'frames that are huge, inflate, come in a million pieces or never end',
  sizes: {
    small: { rounds: 1, bombMiB: 64, fragments: 20_000 },
    full: { rounds: 3, bombMiB: 1_024, fragments: 1_000_000 },
  },
  async run(rig, size) {
    const neighbours = await Neighbours.open(rig, 'BYSTANDER', 5)
    const ids = await rig.registerStations('BOMBER', Object.keys(attacks).length + 1)
    for (const id of ids) (await rig.connect(id)).close()
    const calm = await neighbours.during(sleep(1_000))
    const others: string[] = []
    const grown = new Map<string, number>()
    let done = 0
    const attack = async () => {
      // The first warms up what is made once.
      await end(rig, ids[0] ?? '', 'a frame of 8 MiB', size)
      for (let round = 0; round < size.rounds && !rig.isOver; round += 1) {
        for (const [index, [name, { endings }]] of Object.entries(attacks).entries()) {
          const before = await rig.memory()
          const attacking = end(rig, ids[index + 1] ?? '', name, size)
          const peak = await rig.peakMemory(attacking)
          grown.set(name, Math.max(grown.get(name) ?? 0, (peak - before) / mebibyte))
          const ending = await attacking
          if (!endings.includes(ending)) others.push(`${name}: ${ending}`)
          done += 1
        }
      }
    }
    const busy = await neighbours.during(attack())
    neighbours.close()
    return {
      injected: `${done} attackers of ${grown.size} kinds, ${size.bombMiB} MiB inflated, ${size.fragments} pieces`,
      figures: [
        none('closed otherwise than asked', others),
        none('neighbours refused', neighbours.troubles),
        atMost('memory per attacker', Math.max(...grown.values()), 50, 'MiB'),
        atMost("neighbours' p99", busy.at(0.99), 500, 'ms'),
        shown('calm', calm.at(0.99), 'ms'),
        shown(
          'memory by kind, MiB',
          [...grown].map(([name, mebibytes]) => `${name} ${mebibytes.toFixed(0)}`).join(', '),
        ),
      ],
    }
  },
})

/** @returns 'not' when the gateway lets it go on */
async function end(rig: Rig, id: string, name: string, size: Size): Promise<Ending | 'not'> {
  const station = new WireStation(await openRaw(rig.system.gateways[0]?.port ?? 0, id, password, compression))
  await attacks[name]?.run(station, size)
  const ending = await Promise.race([station.ended, sleep(patienceMs, 'not' as const, { ref: false })])
  station.socket.destroy()
  return ending
}
