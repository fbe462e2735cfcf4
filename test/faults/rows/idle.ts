import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSocket } from '@busbar/simulator'
import { meterMessage, startMessage, stopMessage } from '../charging.js'
import { type Rig, result, token } from '../rig.js'
import { exactly, none, row, shown } from '../row.js'

const prefix = 'IDLE'

interface Kind {
  boots: boolean
  /** Before it has booted. */
  isAccepted: boolean
  /** What the operator says of it. */
  station: object
}

const accepted: Kind = { boots: true, isAccepted: false, station: {} }
const kinds: readonly Kind[] = [
  accepted,
  { boots: true, isAccepted: false, station: { registrationPolicy: 'pending' } },
  { boots: true, isAccepted: false, station: { registrationPolicy: 'reject' } },
  { boots: false, isAccepted: true, station: { acceptWithoutBoot: true } },
  { boots: false, isAccepted: false, station: {} },
]
const kindOf = (index: number) => kinds[index % kinds.length] ?? accepted
const lives = ['stays', 'reconnects', 'reboots', 'charges'] as const

/** Half the time in one way, half of it in the other: nobody asks for anything, so no CALL may come. */
export const idling = row({
  id: 'IDLE',
  fault:
    'none: stations of every registration connect, boot, heartbeat, charge, reconnect, and nobody asks for anything',
  sizes: {
    small: { stations: 20, seconds: 10, beatSeconds: 1 },
    full: { stations: 200, seconds: 3_600, beatSeconds: 30 },
  },
  async run(rig, { stations, seconds, beatSeconds }) {
    const ids = await rig.registerStations(prefix, stations, (index) => kindOf(index).station)
    const startedAt = Date.now()
    const passed = () => (rig.isOver ? 1 : (Date.now() - startedAt) / (seconds * 1_000))
    const idlers = ids.map((id, index) => new Idler(rig, id, index))
    const changing = changeTokens(rig, passed, beatSeconds)
    await Promise.all(idlers.map((idler) => idler.live(passed, beatSeconds * 1_000)))
    await changing
    const idled = (Date.now() - startedAt) / 1_000
    await rig.drained()
    for (const idler of idlers) idler.leave()
    const commands = await rig.query<{ id: string; action: string; by: string }>(
      `SELECT station_id AS id, action, requested_by AS by FROM command WHERE station_id LIKE '${prefix}-%'`,
    )
    const states = await rig.query<{ registration: string | null }>(
      `SELECT DISTINCT registration FROM station_state WHERE station_id LIKE '${prefix}-%'`,
    )
    return {
      injected: `${stations} stations for ${idled.toFixed(0)} s`,
      figures: [
        none(
          'CALLs of Busbar',
          idlers.flatMap((idler) => idler.calls),
        ),
        none(
          'commands in the books',
          commands.map(({ id, action, by }) => `${id}: ${action} by ${by}`),
        ),
        none(
          'messages without an answer',
          idlers.flatMap(({ troubles }) => troubles),
        ),
        exactly('registrations in the books', states.length, 4),
        shown(
          'messages of stations',
          idlers.reduce((sum, { said }) => sum + said, 0),
        ),
      ],
    }
  },
})

/** Lists in stations come out of step, and nobody has asked to have them kept in step. */
async function changeTokens(rig: Rig, passed: () => number, beatSeconds: number): Promise<void> {
  for (let turn = 0; passed() < 1; turn += 1) {
    await rig.system.api.registerToken(`IDLE-${turn}`)
    await sleep(beatSeconds * 1_000)
  }
}

class Idler {
  readonly troubles: string[] = []
  said = 0
  readonly #rig: Rig
  readonly #id: string
  readonly #boots: boolean
  readonly #life: (typeof lives)[number]
  readonly #sockets: StationSocket[] = []
  #gateway: number
  #isAccepted: boolean
  #bootsAgainAt = Number.POSITIVE_INFINITY
  #transaction: { id: number; wh: number } | null = null

  constructor(rig: Rig, id: string, index: number) {
    this.#rig = rig
    this.#id = id
    this.#gateway = index
    this.#boots = kindOf(index).boots
    this.#isAccepted = kindOf(index).isAccepted
    this.#life = lives[Math.floor(index / kinds.length) % lives.length] ?? 'stays'
  }

  get calls(): string[] {
    return this.#sockets.flatMap(({ receivedCalls }) => receivedCalls.map(({ action }) => `${this.#id}: ${action}`))
  }

  /** @param passed the share of its time */
  async live(passed: () => number, beatMs: number): Promise<void> {
    await this.#connect()
    let isChanged = false
    while (passed() < 1) {
      await sleep(beatMs * (0.5 + this.#rig.random.next()))
      // One that says nothing before it is accepted is hung up on after a minute, and comes back.
      if (!this.#socket.isOpen) await this.#connect()
      if (Date.now() >= this.#bootsAgainAt) await this.#boot()
      if (this.#isAccepted) await this.#beat()
      if (isChanged || passed() < 0.5) continue
      isChanged = true
      await this.#change()
    }
    if (this.#transaction) await this.#endTransaction()
  }

  leave(): void {
    for (const socket of this.#sockets) socket.close()
  }

  get #socket(): StationSocket {
    const socket = this.#sockets.at(-1)
    if (!socket) throw new Error('not connected')
    return socket
  }

  async #connect(): Promise<void> {
    this.#sockets.push(await this.#rig.open(this.#id, this.#gateway++))
    if (this.#boots) await this.#boot()
  }

  async #boot(): Promise<void> {
    const boot = { chargePointVendor: 'Busbar', chargePointModel: 'Idle' }
    const answer = await this.#call<{ status: string; interval: number }>('BootNotification', boot)
    this.#isAccepted = answer?.status === 'Accepted'
    this.#bootsAgainAt = this.#isAccepted ? Number.POSITIVE_INFINITY : Date.now() + (answer?.interval ?? 60) * 1_000
    if (!this.#isAccepted) return
    for (const connectorId of [0, 1]) {
      await this.#call('StatusNotification', { connectorId, errorCode: 'NoError', status: 'Available' })
    }
  }

  async #beat(): Promise<void> {
    await this.#call('Heartbeat', {})
    if (!this.#transaction) return
    this.#transaction.wh += 10
    const { action, payload } = meterMessage(this.#transaction.id, { at: new Date(), wh: this.#transaction.wh })
    await this.#call(action, payload)
  }

  async #change(): Promise<void> {
    if (this.#life === 'reconnects') {
      this.#socket.close()
      await this.#socket.closed
      await this.#connect()
    } else if (this.#life === 'reboots' && this.#boots) {
      await this.#boot()
    } else if (this.#life === 'charges' && this.#isAccepted) {
      const { action, payload } = startMessage({ at: new Date(), wh: 0 })
      const answer = await this.#call<{ transactionId: number }>(action, payload)
      if (answer) this.#transaction = { id: answer.transactionId, wh: 0 }
    }
  }

  async #endTransaction(): Promise<void> {
    if (!this.#transaction) return
    const { id, wh } = this.#transaction
    const { action, payload } = stopMessage(id, { at: new Date(), wh }, token)
    await this.#call(action, payload)
  }

  async #call<Payload>(action: string, payload: object): Promise<Payload | null> {
    this.said += 1
    try {
      return result<Payload>(await this.#socket.call(action, { ...payload }))
    } catch (cause) {
      this.troubles.push(`${this.#id}: ${action}: ${String(cause)}`)
      return null
    }
  }
}
