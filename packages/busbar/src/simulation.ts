import { setTimeout as sleep } from 'node:timers/promises'
import { simulate } from '@busbar/simulator'
import { ConfigError } from './config.js'

export interface SimulationArguments {
  stations: number
  version: string
  scenario: string
  url: string
  prefix: string
  password?: string
  token: string
  seconds?: number
}

const protocols = {
  '1.6': ['ocpp1.6'],
  '2.0.1': ['ocpp2.0.1'],
  mixed: ['ocpp1.6', 'ocpp2.0.1'],
} as const

/** `busbar simulate`: virtual stations until the time is over or Ctrl-C; prints a line every five seconds. */
export async function runSimulation(given: SimulationArguments): Promise<void> {
  const { stations, version, scenario, url, prefix, password, token, seconds } = given
  if (!(version in protocols)) throw new ConfigError([`--version ${version}: 1.6, 2.0.1 or mixed`])
  if (scenario !== 'charge' && scenario !== 'idle') throw new ConfigError([`--scenario ${scenario}: charge or idle`])
  const choice = protocols[version as keyof typeof protocols]
  const simulation = simulate({
    urls: url.split(','),
    stations: Array.from({ length: stations }, (_, index) => ({
      id: `${prefix}-${String(index + 1).padStart(4, '0')}`,
      protocol: choice[index % choice.length] ?? 'ocpp1.6',
      ...(password === undefined ? {} : { password }),
    })),
    scenario,
    tokens: [token],
    chargeSeconds: 30,
    breakSeconds: 10,
  })
  const stopped = new AbortController()
  process.once('SIGINT', () => stopped.abort())
  process.once('SIGTERM', () => stopped.abort())
  const until = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1_000
  while (!stopped.signal.aborted && Date.now() < until) {
    await sleep(Math.min(5_000, until - Date.now()), undefined, { signal: stopped.signal }).catch(() => {})
    console.log(JSON.stringify(simulation.summary()))
  }
  console.log(JSON.stringify(await simulation.stop()))
}
