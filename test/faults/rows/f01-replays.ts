import { randomUUID } from 'node:crypto'
import type { StationSocket } from '@busbar/simulator'
import { type Charged, holdAgainstBooks, type Message, meterMessage, startMessage, stopMessage } from '../charging.js'
import type { Random } from '../random.js'
import { type Rig, result, token } from '../rig.js'
import { none, row, shown } from '../row.js'

const dayMs = 86_400_000
const prefix = 'REPLAY'

/** A station that trusts no answer: it says everything up to five times, with old ids and new, here and there. */
class Repeater {
  readonly charges: Charged[] = []
  readonly contradictions: string[] = []
  sent = 0
  readonly #id: string
  readonly #rig: Rig
  readonly #random: Random
  readonly #said: { message: Message; answer: string }[] = []
  #socket: StationSocket | null = null
  #gateway = 0
  #registerWh = 100_000
  #clockMs: number

  constructor(id: string, rig: Rig) {
    this.#id = id
    this.#rig = rig
    this.#random = rig.random.fork()
    // Its sessions lie days back: what it says now comes days later, and once more after all others.
    this.#clockMs = Date.now() - this.#random.integer(3, 90) * dayMs
  }

  async charge(): Promise<void> {
    const meterStartWh = this.#registerWh
    const started = await this.#say(startMessage(this.#read(0)))
    const { transactionId } = JSON.parse(started) as { transactionId: number }
    const readings = this.#random.integer(2, 6)
    for (let count = 0; count < readings; count += 1) {
      await this.#say(meterMessage(transactionId, this.#read(this.#random.integer(1, 3_000))))
    }
    await this.#say(stopMessage(transactionId, this.#read(this.#random.integer(1, 3_000)), token))
    this.charges.push({ stationId: this.#id, transactionId, wh: this.#registerWh - meterStartWh, readings })
  }

  /** As after a reset that brought an old queue back. */
  async sayOldAgain(): Promise<void> {
    for (const { message, answer } of this.#said) {
      if (this.#random.chance(0.2)) this.#compare(message, await this.#send(message, randomUUID()), answer)
    }
  }

  close(): void {
    this.#socket?.close()
  }

  #read(addedWh: number) {
    this.#registerWh += addedWh
    this.#clockMs += 60_000
    return { at: new Date(this.#clockMs), wh: this.#registerWh }
  }

  async #say(message: Message): Promise<string> {
    const messageId = randomUUID()
    const answer = await this.#send(message, messageId)
    for (let copies = this.#random.integer(0, 4); copies > 0; copies -= 1) {
      if (this.#random.chance(0.2)) await this.#move()
      this.#compare(message, await this.#send(message, this.#random.chance(0.5) ? messageId : randomUUID()), answer)
    }
    this.#said.push({ message, answer })
    return answer
  }

  async #send({ action, payload }: Message, messageId: string): Promise<string> {
    this.#socket ??= await this.#rig.connect(this.#id, this.#gateway)
    this.sent += 1
    return JSON.stringify(result(await this.#socket.call(action, payload, messageId)))
  }

  async #move(): Promise<void> {
    this.#gateway += 1
    const older = this.#socket
    this.#socket = await this.#rig.connect(this.#id, this.#gateway)
    older?.close()
  }

  #compare({ action }: Message, answer: string, first: string): void {
    if (answer !== first) this.contradictions.push(`${this.#id} ${action}: ${first}, then ${answer}`)
  }
}

export const replays = row({
  id: 'F1',
  fault: 'Start, MeterValues and Stop said 1 to 5 times, same and new message id, other gateway, days later',
  sizes: { small: { messages: 500, stations: 20 }, full: { messages: 1_000_000, stations: 40 } },
  async run(rig, { messages, stations }) {
    const ids = await rig.registerStations(prefix, stations)
    const repeaters = ids.map((id) => new Repeater(id, rig))
    const sent = () => repeaters.reduce((sum, repeater) => sum + repeater.sent, 0)
    await Promise.all(
      repeaters.map(async (repeater) => {
        do await repeater.charge()
        while (sent() < messages && !rig.isOver)
        await repeater.sayOldAgain()
        repeater.close()
      }),
    )
    await rig.drained()
    const charges = repeaters.flatMap((repeater) => repeater.charges)
    return {
      injected: `${sent()} messages of ${charges.length} sessions at ${stations} stations`,
      figures: [
        ...(await holdAgainstBooks(rig, prefix, charges)),
        none(
          'other answers to the same message',
          repeaters.flatMap(({ contradictions }) => contradictions),
        ),
        shown(
          'Wh charged',
          charges.reduce((sum, { wh }) => sum + wh, 0),
        ),
      ],
    }
  },
})
