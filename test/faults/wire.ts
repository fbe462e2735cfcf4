import type { Socket } from 'node:net'

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A frame as a client sends it, right or wrong (RFC 6455 §5.2). */
export interface WireFrame {
  opcode: number
  payload?: Buffer | string
  /** false: more fragments follow. */
  fin?: boolean
  /** RSV1 to RSV3, as three bits. */
  reserved?: number
  isMasked?: boolean
  /** What it says of its length, where that is not its length. */
  claims?: bigint
}

/** The mask is zero. */
export function toWire({ opcode, payload = '', fin = true, reserved = 0, isMasked = true, claims }: WireFrame): Buffer {
  const body = Buffer.from(payload)
  const length = claims ?? BigInt(body.length)
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const maskBit = isMasked ? 0x80 : 0
  const head = Buffer.alloc(length < 126n ? 2 : length < 65_536n ? 4 : 10)
  head[0] = first
  head[1] = maskBit | (length < 126n ? Number(length) : length < 65_536n ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(Number(length), 2)
  if (head.length === 10) head.writeBigUInt64BE(length, 2)
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), body])
}

/** How the other side ended it: the code of its Close; null for one that just cut the line. */
export type Ending = number | null

/** A station below WebSocket: it sends bytes, and reads the frames of the gateway. */
export class WireStation {
  readonly socket: Socket
  readonly texts: string[] = []
  readonly pongs: Buffer[] = []
  /** Resolves once the line is gone. */
  readonly ended: Promise<Ending>
  #code: Ending = null
  #unread = Buffer.alloc(0)

  /** @param socket whose upgrade is done */
  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (data: Buffer) => this.#read(data))
    // The other side may cut it while we write.
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => socket.once('close', () => resolve(this.#code)))
  }

  get isGone(): boolean {
    return this.#code !== null || this.socket.destroyed
  }

  send(frame: WireFrame): Promise<void> {
    return this.write(toWire(frame))
  }

  /** Resolves once there is room for more, or nobody to send it to. */
  async write(bytes: Buffer): Promise<void> {
    if (this.isGone || this.socket.write(bytes)) return
    await Promise.race([this.ended, new Promise((resolve) => this.socket.once('drain', resolve))])
  }

  /** A station that answers the closing handshake. */
  close(): void {
    if (!this.socket.destroyed) this.socket.end(toWire({ opcode: opcodes.close }))
  }

  #read(data: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, data])
    for (let frame = this.#take(); frame; frame = this.#take()) {
      const { opcode, body } = frame
      if (opcode === opcodes.text) this.texts.push(body.toString())
      else if (opcode === opcodes.pong) this.pongs.push(body)
      else if (opcode === opcodes.close) {
        this.#code = body.length >= 2 ? body.readUInt16BE() : 1005
        this.close()
      }
    }
  }

  /** A server does not mask. */
  #take(): { opcode: number; body: Buffer } | null {
    const bytes = this.#unread
    if (bytes.length < 2) return null
    const [first = 0, second = 0] = bytes
    const size = second === 127 ? 8 : second === 126 ? 2 : 0
    if (bytes.length < 2 + size) return null
    const length = size === 8 ? Number(bytes.readBigUInt64BE(2)) : size === 2 ? bytes.readUInt16BE(2) : second
    const end = 2 + size + length
    if (bytes.length < end) return null
    this.#unread = bytes.subarray(end)
    return { opcode: first & 15, body: bytes.subarray(2 + size, end) }
  }
}
