import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel, type Message } from 'kafkajs'
import { services } from '../../support/system.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { inParallel, Latencies, Neighbours, type Rig } from '../rig.js'
import { atMost, exactly, type Figure, none, row, shown } from '../row.js'

const [prefix, poisonPrefix] = ['SOUND', 'POISON']

const lane = 'transactions'
/** A time that the database refuses, until the bug is mended that let it come so far. */
const [refusedAt, rule] = ['2021-02-03T04:05:06Z', 'poisoned_time']

const start = (timestamp: string) =>
  `[2,"x","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"${timestamp}"}]`

/** What no gateway writes: broken bytes, no call, a header that is none; and what only storing it shows. */
const poisons: readonly { value: string; headers?: Record<string, string> }[] = [
  { value: '[2,"x","StartTransaction",{"connectorId":' },
  { value: '\u0000\u0001\ufffd' },
  { value: '[3,"x",{}]' },
  { value: start('2026-01-01T00:00:00Z'), headers: { epoch: 'new' } },
  { value: start(refusedAt) },
  { value: start(refusedAt) },
]

class Poisoner {
  count = 0
  readonly #rig: Rig
  readonly #producer
  readonly #topic: string

  private constructor(rig: Rig) {
    this.#rig = rig
    this.#topic = `${rig.system.topicPrefix}.ocpp.${lane}`
    const brokers = (services.brokers ?? '').split(',')
    this.#producer = new Kafka({ clientId: 'poisoner', brokers, logLevel: logLevel.NOTHING }).producer()
  }

  static async open(rig: Rig): Promise<Poisoner> {
    const poisoner = new Poisoner(rig)
    await poisoner.#producer.connect()
    return poisoner
  }

  /** Into the partitions of all stations, one after the other. */
  async send(count: number): Promise<void> {
    const messages = Array.from({ length: count }, () => this.#record(this.count++))
    if (count > 0) await this.#producer.send({ topic: this.#topic, messages })
  }

  close(): Promise<void> {
    return this.#producer.disconnect()
  }

  #record(index: number): Message {
    const station = `${poisonPrefix}-${index}`
    const { value, headers } = this.#rig.random.pick(poisons)
    const ordinary = {
      ...{ type: 'call', station, connection: 'poison', epoch: '1', sequence: '1', protocol: 'ocpp1.6' },
      ...{ action: 'StartTransaction', messageId: 'x', answer: 'decision', receivedAt: new Date().toISOString() },
      transactionId: String(index + 1),
    }
    return { key: station, value, headers: { ...ordinary, ...headers } }
  }
}

interface Letter {
  id: string
  error: string
}

const readLetters = (rig: Rig) =>
  rig.query<Letter>(
    `SELECT id, error FROM dead_letter WHERE service = '${lane}' AND station_id LIKE '${poisonPrefix}-%'`,
  )

async function countTransactions(rig: Rig): Promise<number> {
  const [found] = await rig.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM charging_transaction WHERE station_id LIKE '${poisonPrefix}-%'`,
  )
  return found?.count ?? 0
}

/** What the database refused is replayed once it no longer does. */
async function replay(rig: Rig, letters: readonly Letter[]): Promise<Figure> {
  const mended = letters.filter(({ error }) => error.includes(rule)).slice(0, 100)
  await inParallel(mended, 4, ({ id }) => rig.system.api.expect('POST', `/dead-letters/${id}/replay`))
  await rig.drained()
  return exactly('replays that took effect', await countTransactions(rig), mended.length)
}

export const poisonRecords = row({
  id: 'F22',
  fault: 'every hundredth record is one that no service can decide or store',
  needsProcesses: true,
  sizes: {
    small: { stations: 6, asking: 20, seconds: 5, share: 0.05 },
    full: { stations: 20, asking: 60, seconds: 600, share: 0.01 },
  },
  async run(rig, { stations, asking, seconds, share }) {
    const fleet = await Fleet.open(rig, prefix, stations)
    const neighbours = await Neighbours.open(rig, 'SAME', asking)
    const poisoner = await Poisoner.open(rig)
    await rig.query(
      `ALTER TABLE charging_transaction ADD CONSTRAINT ${rule} CHECK (started_at <> '${refusedAt}') NOT VALID`,
    )
    const endsAt = Date.now() + seconds * 1_000
    const recoveries = new Latencies()
    let records = 0

    async function poison(): Promise<void> {
      while (Date.now() < endsAt && !rig.isOver) {
        await sleep(200)
        records = neighbours.calls
        await poisoner.send(Math.ceil(records * share) - poisoner.count)
      }
    }

    const waits = await fleet.during(async () => {
      const found = await neighbours.during(poison(), 20)
      await recoveries.measure(fleet.served())
      return found
    })
    await fleet.settled()
    await rig.drained()
    const letters = await readLetters(rig)
    await rig.query(`ALTER TABLE charging_transaction DROP CONSTRAINT ${rule}`)
    const replayed = await replay(rig, letters)
    const metrics = (await rig.metrics('workers')).join('\n')
    const isTold = /busbar_service_decisions_total\{[^}]*outcome="dead"[^}]*\} [1-9]/.test(metrics)
    const recovery = { times: poisoner.count, each: recoveries, goalSeconds: 5 }
    const invariants = await checkInvariants(rig, fleet, recovery)
    neighbours.close()
    await poisoner.close()
    await fleet.stop()
    return {
      injected: `${poisoner.count} poisoned among ${records} records`,
      invariants,
      figures: [
        exactly('dead letters', letters.length, poisoner.count),
        replayed,
        none('told by the metrics', isTold ? [] : ['no dead letter is counted']),
        none('neighbours refused', neighbours.troubles),
        atMost('longest wait of a neighbour', waits.at(1) / 1_000, 5, 's'),
        shown('waits, p50', waits.at(0.5), 'ms'),
      ],
    }
  },
})
