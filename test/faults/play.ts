import { allServices, hasServices, type System, startDistributed, startEmbedded } from '../support/system.js'
import { Rig, rigEnvironment, token } from './rig.js'
import type { Outcome, Row } from './row.js'

export interface Played extends Outcome {
  row: Row
  seconds: number
}

/** Two gateways and two workers where the environment names the services they need, else everything in one process. */
export async function startRig(): Promise<System> {
  const system = hasServices()
    ? await startDistributed({ gateways: 2, workers: [allServices, allServices] }, rigEnvironment)
    : await startEmbedded(rigEnvironment)
  await system.api.registerToken(token)
  return system
}

export async function play(row: Row, size: keyof Row['sizes'], system: System, seed: number, minutes: number) {
  const startedAt = performance.now()
  const outcome = await row.run(new Rig(system, seed, minutes), row.sizes[size])
  return { ...outcome, row, seconds: (performance.now() - startedAt) / 1_000 } satisfies Played
}
