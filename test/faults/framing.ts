import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel, password, type Rig } from './rig.js'
import { openRaw } from './upgrade.js'
import { type Ending, opcodes, toWire, type WireFrame, WireStation } from './wire.js'

const { continuation, text, binary, close, ping, pong } = opcodes
const lives = 'lives'
const protocolError: Ends = [1002]

type Ends = readonly (Ending | typeof lives)[]

interface Case {
  name: string
  frames: readonly (WireFrame | Buffer)[]
  /** How it may end. */
  ends: Ends
  /** What each ping has to bring back. */
  pongs?: readonly string[]
}

const heartbeat = (id: string) => `[2,"${id}","Heartbeat",{}]`
const closing = (code: number, reason: Buffer | string = '') => {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return { opcode: close, payload: Buffer.concat([head, Buffer.from(reason)]) }
}
const invalidUtf8 = Buffer.from([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0, 0x80])
const notMinimal = Buffer.concat([Buffer.from([0x81, 0xfe, 0, 2, 0, 0, 0, 0]), Buffer.from('[]')])

/** What RFC 6455 says of frames, each with what has to come of it. */
const cases: readonly Case[] = [
  ...[1, 2, 4].map((reserved) => ({
    name: `reserved bits ${reserved}`,
    frames: [{ opcode: text, payload: heartbeat('x'), reserved }],
    ends: protocolError,
  })),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    name: `opcode ${opcode}`,
    frames: [{ opcode, payload: 'x' }],
    ends: protocolError,
  })),
  ...[close, ping, pong].map((opcode) => ({
    name: `control frame ${opcode} in fragments`,
    frames: [{ opcode, fin: false }],
    ends: protocolError,
  })),
  ...[close, ping, pong].map((opcode) => ({
    name: `control frame ${opcode} of 126 bytes`,
    frames: [{ opcode, payload: Buffer.alloc(126) }],
    ends: protocolError,
  })),
  {
    name: 'a frame without a mask',
    frames: [{ opcode: text, payload: heartbeat('x'), isMasked: false }],
    ends: protocolError,
  },
  {
    name: 'a continuation of nothing',
    frames: [{ opcode: continuation, payload: 'x' }],
    ends: protocolError,
  },
  ...[text, binary].map((opcode) => ({
    name: `message ${opcode} within another`,
    frames: [
      { opcode: text, payload: '[', fin: false },
      { opcode, payload: 'x' },
    ],
    ends: protocolError,
  })),
  { name: 'a close of one byte', frames: [{ opcode: close, payload: 'x' }], ends: protocolError },
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => ({
    name: `close code ${code}, which is none`,
    frames: [closing(code)],
    ends: protocolError,
  })),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code) => ({
    name: `close code ${code}`,
    frames: [closing(code, 'bye')],
    ends: [code],
  })),
  { name: 'a close without a code', frames: [{ opcode: close }], ends: [1005] },
  { name: 'a close whose reason is no UTF-8', frames: [closing(1000, invalidUtf8)], ends: [1000, 1007] },
  {
    name: 'frames behind a close',
    frames: [closing(1000), { opcode: text, payload: heartbeat('x') }, { opcode: 3 }],
    ends: [1000],
  },
  {
    name: 'a length with its highest bit set',
    frames: [{ opcode: text, claims: 1n << 63n }],
    ends: [1002, 1009],
  },
  { name: 'a length in more bytes than it needs', frames: [notMinimal], ends: [1002, lives] },
  { name: 'an empty text', frames: [{ opcode: text }], ends: [lives] },
  { name: 'an empty binary message', frames: [{ opcode: binary }], ends: [lives, 1003] },
  // Stations put rubbish into tokens: what is no UTF-8 is kept as it came and answered, not closed with 1007.
  { name: 'a text that is no UTF-8', frames: [{ opcode: text, payload: invalidUtf8 }], ends: [lives] },
  { name: 'a pong that nobody asked for', frames: [{ opcode: pong, payload: 'x' }], ends: [lives] },
  ...['', 'x', 'y'.repeat(125)].map((payload) => ({
    name: `a ping of ${payload.length} bytes`,
    frames: [{ opcode: ping, payload }],
    ends: [lives] as const,
    pongs: [payload],
  })),
  {
    name: 'a ping between fragments',
    frames: [
      { opcode: text, payload: '[2,"x",', fin: false },
      { opcode: ping, payload: 'in between' },
      { opcode: continuation, payload: '"Heartbeat",{}]' },
    ],
    ends: [lives],
    pongs: ['in between'],
  },
  {
    name: 'fragments of nothing',
    frames: [
      { opcode: text, fin: false },
      { opcode: continuation, fin: false },
      { opcode: continuation, payload: heartbeat('x') },
    ],
    ends: [lives],
  },
  {
    name: 'a frame in single bytes',
    frames: [...toWire({ opcode: text, payload: heartbeat('x') })].map((byte) => Buffer.from([byte])),
    ends: [lives],
  },
]

const patienceMs = 10_000

/** Plays each against a gateway, as a registered station. */
export async function playFraming(rig: Rig): Promise<{ count: number; faults: string[] }> {
  const width = 5
  const ids = await rig.registerStations('FRAMING', width)
  for (const id of ids) (await rig.connect(id)).close()
  const faults: string[] = []
  const left = cases.entries()
  await inParallel(ids, width, async (id) => {
    for (const [index, each] of left) {
      const { port } = rig.system.gateways[index % rig.system.gateways.length] ?? { port: 0 }
      const fault = await playOne(port, id, each)
      if (fault) faults.push(`${each.name}: ${fault}`)
    }
  })
  return { count: cases.length, faults }
}

async function playOne(port: number, id: string, { frames, ends, pongs = [] }: Case): Promise<string | null> {
  const station = new WireStation(await openRaw(port, id, password))
  for (const frame of frames) {
    await station.write(Buffer.isBuffer(frame) ? frame : toWire(frame))
    if (Buffer.isBuffer(frame)) await new Promise(setImmediate)
  }
  const marker = 'marker'
  await station.send({ opcode: text, payload: heartbeat(marker) })
  const end = await Promise.race([
    station.ended,
    untilAnswered(station, marker),
    sleep(patienceMs, 'nothing' as const, { ref: false }),
  ])
  station.socket.destroy()
  const said = station.pongs.map(String)
  if (!(ends as readonly unknown[]).includes(end)) return `${end}, not ${ends.join(' or ')}`
  return JSON.stringify(said) === JSON.stringify(pongs) ? null : `pongs ${JSON.stringify(said)}`
}

async function untilAnswered(station: WireStation, marker: string): Promise<typeof lives> {
  while (!station.texts.some((each) => each.startsWith(`[3,"${marker}"`))) {
    await Promise.race([station.ended, new Promise((resolve) => station.socket.once('data', resolve))])
    if (station.socket.destroyed) await new Promise(() => {})
  }
  return lives
}
