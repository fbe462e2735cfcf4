import { roundTrips, throughput } from './commands.js'
import { measureConnections } from './connections.js'
import { authorizeInFlood } from './flood.js'
import { measureMeters } from './meters.js'
import { overload } from './overload.js'
import type { Product } from './product.js'
import type { References } from './references.js'
import { type Figures, rows } from './rows.js'
import { scaleOut } from './scale-out.js'
import { soak, toFigures } from './soak.js'

/** One line of the table, or two that come of the same work. */
export interface Measure {
  id: string
  what: string
  goal: string
  /** Not repeated: it lasts long, or has many values of its own. */
  once?: boolean
}

export interface Options {
  stations: number
  seconds: number
  soakMinutes: number
}

/** On a product that runs already, and may serve others. */
export type Shared = Measure & { measure(product: Product): Promise<Figures> }
/** On what it starts itself. */
export type Alone = Measure & { measure(): Promise<Figures> }

/** A call of a kind against its reference, and what else a few hundred stations show. */
export function onUsualProduct(references: References, { stations, seconds }: Options): Shared[] {
  return [
    ...rows.map(({ id, what, goal, load, reference, lingerMs = 0, read }) => ({
      ...{ id, what, goal },
      measure: async (product: Product) => {
        const against = await references.measure(reference, lingerMs, { ...load, seconds })
        return read(against, await product.measure({ ...load, seconds }))
      },
    })),
    {
      id: 'P6',
      what: 'Authorize at 500/s beside 3,000 MeterValues/s: p50 / p99 ms; against itself alone',
      goal: '<= 5 / <= 50 ms; <= 1.5x',
      measure: (product) => authorizeInFlood(product, stations, seconds),
    },
    {
      id: 'P11',
      what: 'commands/s, API to station and back, 128 callers; CPU of each process per command',
      goal: '>= 3,000',
      measure: ({ system }) => throughput(system, { seconds }),
    },
    {
      id: 'P12',
      what: 'command, API to station and back, at 100/s: p50 / p99 ms; "not connected" known',
      goal: '<= 6 / <= 30 ms; <= 4 / <= 15 ms',
      once: true,
      measure: ({ system }) => roundTrips(system),
    },
  ]
}

/** Of an overload, where each may have one call open, and of a soak. */
export const manyStations = 3_000

export function onLargeProduct({ soakMinutes }: Options): Shared[] {
  return [
    {
      id: 'P19',
      what: `StartTransaction at 3 times the capacity for 60 s, ${manyStations} stations: p99.9 ms of what is answered; seconds until a steady tenth is as fast as before`,
      goal: '<= 5,000 ms; <= 5 s',
      once: true,
      measure: (product) => overload(product, manyStations),
    },
    {
      id: 'P20',
      what: `sessions of ${manyStations} stations at 500 calls/s for ${soakMinutes} minutes: growth of RSS, and of what is held after garbage collection over the last two thirds; event loop delay`,
      goal: '<= 1 %/h; <= 20 ms',
      once: true,
      measure: async (product) => toFigures(await soak(product, { stations: manyStations, minutes: soakMinutes })),
    },
  ]
}

export function alone({ stations, seconds }: Options): Alone[] {
  return [
    {
      id: 'P8+P9',
      what: '10,000 idle stations without TLS: bytes of RSS each after a full GC; CPU per connect at 1,000/s, with credentials, ownership and event; against bare ws',
      goal: '<= 1.5x; <= 2.2x',
      measure: measureConnections,
    },
    {
      id: 'P13+P14',
      what: 'MeterValues of 4 samples that wait in the log: samples/s to committed rows, CPU of worker and Postgres a sample; bytes with row header and indexes, in a row and in a pack',
      goal: '>= 80,000; <= 120 / <= 30 B',
      measure: () => measureMeters(),
    },
    {
      id: 'P18',
      what: 'StartTransaction at 2 gateways and 2 workers instead of 1 and 1 on the same cores: calls/s; CPU per call',
      goal: '>= 0.80x; <= 1.5x',
      measure: () => scaleOut(stations, seconds),
    },
  ]
}
