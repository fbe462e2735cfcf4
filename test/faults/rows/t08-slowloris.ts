import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/processes.js'
import { ask, startBeside } from '../beside.js'
import { inParallel, Latencies, type Rig } from '../rig.js'
import { none, row, shown } from '../row.js'
import type { SlowOrder, SlowReport } from '../slow-crowd.js'
import { headersMs, silent, slowKinds } from '../slow-sockets.js'

interface Size {
  slow: number
  stations: number
  /** Until those that upgraded and say nothing had to go. */
  waitsForSilent: boolean
}

/** Timers look once a second, and this machine may be late. */
const slackMs = 5_000
const kinds = Object.keys(slowKinds)

export const slowloris = row<Size>({
  id: 'T8',
  fault: 'slow sockets in the TLS handshake, the request, and after the upgrade, while stations connect',
  sizes: {
    small: { slow: 240, stations: 20, waitsForSilent: false },
    full: { slow: 5_000, stations: 1_000, waitsForSilent: true },
  },
  async run(rig, { slow: asked, stations, waitsForSilent }) {
    const crowd = startBeside('slow-crowd.ts')
    const slow = await scale(rig, asked, stations, crowd)
    const perKind = Math.floor(slow / kinds.length)
    const ids = await rig.registerStations('PROMPT', stations)
    const target = {
      gateways: rig.system.gateways.map(({ port, tlsPort }) => ({ port, tlsPort })),
      serverRoot: rig.doors.serverRoot.certificate,
      ids: await rig.registerStations('SILENT', perKind),
    }
    await ask(crowd, { target, perKind } satisfies SlowOrder)
    const latencies = new Latencies()
    const keptOut: string[] = []
    let came = 0
    rig.begin()
    await inParallel(ids.entries(), 25, async ([index, id]) => {
      if (rig.isOver) return
      came += 1
      const coming = latencies.measure(rig.connect(id, index))
      const socket = await coming.catch((cause: unknown) => void keptOut.push(`${id}: ${String(cause)}`))
      socket?.close()
    })
    const awaited = kinds.filter((name) => waitsForSilent || name !== silent)
    await until(
      'each kind was shown the door',
      async () => {
        const reports = await ask<Record<string, SlowReport>>(crowd)
        return awaited.every((name) => (reports[name]?.shownOut ?? 0) > perKind / 2)
      },
      90_000,
    )
    await sleep(headersMs)
    const reports = Object.entries(await ask<Record<string, SlowReport>>(crowd))
    crowd.kill()
    const overlong = reports.flatMap(([name, { longestMs }]) =>
      longestMs > (slowKinds[name]?.mayStayMs ?? 0) + slackMs ? [`${name}: ${longestMs.toFixed(0)} ms`] : [],
    )
    return {
      injected: `${perKind * kinds.length} slow sockets of ${kinds.length} kinds${slow < asked ? ` (of ${asked}: this machine lets a process open no more)` : ''}, ${came} stations connecting`,
      figures: [
        none('stations kept out', keptOut),
        none('slow sockets that stayed longer than they may', overlong),
        none(
          'slow sockets that could not come',
          reports.flatMap(([, { troubles }]) => troubles),
        ),
        shown('slowest station, connect and boot', latencies.at(1), 'ms'),
        shown('p50', latencies.at(0.5), 'ms'),
        shown(
          'longest stay, s',
          reports.map(([name, { longestMs }]) => `${name} ${(longestMs / 1_000).toFixed(1)}`).join(', '),
        ),
      ],
    }
  },
})

/** As many as the gateways and the crowd may open, each with room for what else it does. */
async function scale(rig: Rig, slow: number, stations: number, crowd: ChildProcess): Promise<number> {
  const room = 500
  const ofGateways = await Promise.all(rig.system.gateways.map(({ child }) => maxSockets(child.pid)))
  const all = ofGateways.reduce((sum, limit) => sum + limit, 0)
  return Math.min(slow, (await maxSockets(crowd.pid)) - room, all - stations - room)
}

/** How many sockets a process may hold. */
async function maxSockets(pid: number | undefined): Promise<number> {
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1_024)
}
