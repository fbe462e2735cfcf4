import { randomBytes } from 'node:crypto'
import { type SimulatedStation, simulate } from '@busbar/simulator'
import type { Running } from './roles.js'

const stationCount = 20
const tokens = Array.from({ length: 8 }, (_, index) => `DEMO-${index + 1}`)

/**
 * Twenty stations, half of each version, that plug in, charge and leave. Everything goes through the public doors: the
 * API registers them, the gateway takes them.
 */
export async function startDemo(where: {
  gatewayPort: number | null
  apiPort: number | null
  apiKey: string | null
}): Promise<Running> {
  const { gatewayPort, apiPort, apiKey } = where
  if (!apiKey) throw new Error('The demo registers its stations through the API and needs the first API key for it')
  const request = async (method: string, path: string, body: object) => {
    const response = await fetch(`http://localhost:${apiPort}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    // A second demo on the same data finds what the first one registered.
    if (!response.ok && response.status !== 409) {
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    }
  }
  for (const value of tokens) await request('POST', '/tokens', { value, type: 'ISO14443' })
  const stations: SimulatedStation[] = []
  for (let index = 0; index < stationCount; index += 1) {
    const id = `DEMO-${String(index + 1).padStart(2, '0')}`
    const password = randomBytes(20).toString('hex')
    await request('POST', '/stations', { id, name: `Demo station ${index + 1}` })
    await request('PUT', `/stations/${id}/secret`, { password })
    stations.push({ id, password, protocol: index % 2 === 0 ? 'ocpp1.6' : 'ocpp2.0.1' })
  }
  const simulation = simulate({
    urls: [`ws://localhost:${gatewayPort}/ocpp`],
    stations,
    scenario: 'charge',
    tokens,
    chargeSeconds: 30,
    breakSeconds: 10,
  })
  console.log(`  ${stationCount} virtual stations charge; see them at http://localhost:${apiPort}/docs\n`)
  return {
    name: 'demo',
    port: null,
    stop: async () => {
      await simulation.stop()
    },
  }
}
