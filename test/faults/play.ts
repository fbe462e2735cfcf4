import { makeDoors } from '../support/doors.js'
import { Issuer } from '../support/issuer.js'
import { allServices, hasServices, startDistributed, startEmbedded } from '../support/system.js'
import { Rig, rigEnvironment, type TestBed, token } from './rig.js'
import type { Outcome, Row } from './row.js'
import type { OwnServices } from './services/own-services.js'

export interface Played extends Required<Outcome> {
  row: Row
  seconds: number
}

/**
 * Two gateways and two workers, on services of our own or on those that the environment names; without any, everything in
 * one process.
 */
export async function startRig(services: OwnServices | null = null): Promise<TestBed> {
  const doors = await makeDoors()
  const issuer = new Issuer()
  await issuer.listen()
  await issuer.addKey('rig')
  const tokens = { BUSBAR_OIDC_ISSUER: issuer.url, BUSBAR_OIDC_AUDIENCE: 'busbar' }
  const environment = { ...rigEnvironment, ...doors.env, ...tokens }
  const system =
    services || hasServices()
      ? await startDistributed({ gateways: 2, workers: [allServices, allServices] }, environment, services ?? undefined)
      : await startEmbedded(environment)
  await system.api.registerToken(token)
  await system.api.expect('POST', '/trust-anchors', { name: 'Stations', certificate: doors.stationRoot.certificate })
  return {
    system,
    doors,
    issuer,
    services,
    async stop() {
      await system.stop()
      issuer.stop()
      await doors.remove()
    },
  }
}

export async function play(row: Row, size: keyof Row['sizes'], bed: TestBed, seed: number, minutes: number) {
  const startedAt = performance.now()
  const { injected, invariants = [], figures } = await row.run(new Rig(bed, seed, minutes), row.sizes[size])
  const seconds = (performance.now() - startedAt) / 1_000
  return { row, injected, invariants, figures, seconds } satisfies Played
}
