import { setTimeout as sleep } from 'node:timers/promises'
import { StationSocket } from '@busbar/simulator'
import { ApiClient } from '../support/api-client.js'
import type { System } from '../support/system.js'
import { stationPassword } from './stations.js'

const perSecond = 100
const seconds = 10

/** Commands over the API that wait for their verdict; the station answers at once. @returns milliseconds */
export async function roundTrips(system: System): Promise<Record<string, number[]>> {
  const stations = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const id = `BENCH${String(index).padStart(6, '0')}`
      const url = system.urls[0] ?? ''
      const socket = await StationSocket.open({ url, id, protocols: ['ocpp1.6'], password: stationPassword })
      socket.on('ClearCache', () => ({ status: 'Accepted' }))
      return { id, socket }
    }),
  )
  const api = new ApiClient(system.api.url, system.api.key, false)
  const times: number[] = []
  let failed = 0
  const one = async (index: number) => {
    const { id = '' } = stations[index % stations.length] ?? {}
    const sentAt = performance.now()
    const { body } = await api.command(id, 'ClearCache', {})
    if (body.status === 'accepted') times.push(performance.now() - sentAt)
    else failed += 1
  }
  for (let index = 0; index < perSecond; index += 1) await one(index)
  times.length = 0
  const open: Promise<void>[] = []
  for (let index = 0; index < perSecond * seconds; index += 1) {
    open.push(one(index))
    await sleep(1_000 / perSecond)
  }
  await Promise.all(open)
  for (const { socket } of stations) socket.close()
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return { p50: [at(0.5)], p99: [at(0.99)], commands: [times.length], failed: [failed] }
}
