import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allServices, hasServices, type System, startDistributed, startEmbedded, until } from '../support/system.js'
import { StrictStation } from './strict-station.js'

export const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

/** Tokens of the lab, as a certification asks for them. */
export const tokens = {
  valid: 'VALID-0001',
  expired: 'EXPIRED-0001',
  blocked: 'BLOCKED-0001',
  unknown: 'NOBODY-0001',
}

export interface Lab {
  system: System
  /** Connected, not booted. */
  station: StrictStation
}

/** A case drives a fresh station; operator steps go through the public API. */
export type Case = (lab: Lab) => Promise<void>

/** After the last step nothing more may come for so long. */
const silenceMs = 1_000

const protocol = 'ocpp2.0.1'

/** @throws Refused */
export function connect(system: System, id: string, password: string, rest: { username?: string } = {}) {
  return StrictStation.connect({ url: system.urls[0] ?? '', id, protocol, password, ...rest })
}

export async function reconnect(lab: Lab, password: string): Promise<void> {
  await lab.station.leaves()
  lab.station = await connect(lab.system, lab.station.id, password)
}

/** Runs the cases of OCPP 2.0.1 against the running system, embedded and, where the services are, distributed. */
export function runCatalogue(cases: Record<string, Case>): void {
  const setUps = [
    { name: 'embedded', start: () => startEmbedded() },
    ...(hasServices()
      ? [{ name: 'distributed', start: () => startDistributed({ gateways: 1, workers: [allServices] }) }]
      : []),
  ]
  describe.each(setUps)(`${protocol}, $name`, ({ start }) => {
    let system: System
    beforeAll(async () => {
      system = await start()
      await system.api.registerToken(tokens.valid)
      await system.api.registerToken(tokens.expired, { expiresAt: '2020-01-01T00:00:00Z' })
      await system.api.registerToken(tokens.blocked, { status: 'blocked' })
    })
    afterAll(() => system.stop())

    // Each case has a station of its own, and mostly waits.
    test.concurrent.each(Object.entries(cases))('%s', async (_title, play) => {
      const id = `CASE-${randomUUID().slice(0, 8)}`
      await system.api.registerStation(id, password)
      const lab: Lab = { system, station: await connect(system, id, password) }
      try {
        await play(lab)
        await sleep(silenceMs)
        expect(lab.station.problems).toEqual([])
      } finally {
        await lab.station.leaves()
      }
    })
  })
}

/**
 * An operator's step: the command goes out over the API while the station awaits it; the verdict is the operator's to see.
 * @returns the payload that the station was sent
 */
export async function operator(
  { system, station }: Lab,
  action: string,
  payload: object,
  answer: Record<string, unknown>,
  verdict = 'accepted',
): Promise<Record<string, unknown>> {
  const sent = system.api.command(station.id, action, payload)
  const asked = await station.isAsked(action, answer)
  const { body } = await sent
  expect(body.status).toBe(verdict)
  return asked
}

/** The one transaction that the API shows for the case's station, once it shows one. */
export async function transactionOf({ system, station }: Lab) {
  const items = await until('a transaction', async () => {
    const page = await system.api.get<{ items: ShownTransaction[] }>(`/transactions?station=${station.id}`)
    return page.items.length > 0 ? page.items : null
  })
  expect(items).toHaveLength(1)
  return items[0]
}

interface ShownTransaction {
  id: string
  status: string
  energyWh: number | null
  stoppedReason: string | null
}
