import { setMaxListeners } from 'node:events'
import { pause } from './retry.js'
import { VirtualStation, type VirtualStationOptions } from './virtual-station.js'

export interface SimulatedStation {
  id: string
  protocol: VirtualStationOptions['protocol']
  password?: string
}

export interface SimulateOptions {
  urls: string[]
  stations: SimulatedStation[]
  /** charge: plug in, charge, leave, again and again; idle: boot and stay. */
  scenario: 'charge' | 'idle'
  tokens: string[]
  /** Length of one charge and of the break after it. */
  chargeSeconds: number
  breakSeconds: number
  powerW?: number
}

export interface SimulationSummary {
  stations: number
  online: number
  sessions: number
  energyWh: number
  calls: number
  discarded: number
}

/** Runs stations until stopped. They start spread over two seconds and charge out of step. */
export function simulate(options: SimulateOptions) {
  const life = new AbortController()
  // Every station waits on it.
  setMaxListeners(0, life.signal)
  const stations = options.stations.map(
    ({ id, protocol, password }) =>
      new VirtualStation({ id, protocol, urls: options.urls, ...(password === undefined ? {} : { password }) }),
  )
  const runs = stations.map(async (station, index) => {
    await pause((index * 2_000) / stations.length, life.signal)
    if (life.signal.aborted) return
    await station.start()
    while (options.scenario === 'charge' && !life.signal.aborted) {
      await pause(options.breakSeconds * 1_000 * (0.5 + Math.random()), life.signal)
      if (life.signal.aborted) return
      const readings = 10
      await station.charge({
        token: options.tokens[index % options.tokens.length] ?? 'DEMO',
        powerW: options.powerW ?? 11_000,
        readings,
        intervalMs: (options.chargeSeconds * 1_000) / readings,
      })
    }
  })
  return {
    stations,
    summary: () => summarize(stations),
    /** Ends every station; a charge in progress stays open, as after a power cut. */
    async stop(): Promise<SimulationSummary> {
      life.abort()
      await Promise.all(stations.map((station) => station.stop()))
      await Promise.race([Promise.allSettled(runs), pause(1_000, new AbortController().signal)])
      return summarize(stations)
    },
  }
}

function summarize(stations: readonly VirtualStation[]): SimulationSummary {
  const sessions = stations.flatMap(({ ledger }) => ledger.sessions)
  return {
    stations: stations.length,
    online: stations.filter(({ isOnline }) => isOnline).length,
    sessions: sessions.length,
    energyWh: sessions.reduce(
      (sum, { meterStartWh, meterStopWh }) => sum + (meterStopWh ?? meterStartWh) - meterStartWh,
      0,
    ),
    calls: stations.reduce((sum, { ledger }) => sum + ledger.calls.length, 0),
    discarded: stations.reduce((sum, { ledger }) => sum + ledger.discarded.length, 0),
  }
}
