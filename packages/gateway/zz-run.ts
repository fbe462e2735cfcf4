// gateway alone, no workers: deterministic CPU per call
import { openReferences } from '../../test/bench/references.js'
import { startDistributed } from '../../test/support/system.js'
import { registerStations, stationPassword } from '../../test/bench/stations.js'
import { underLoad } from '../../test/bench/measure.js'
const reps = Number(process.argv[2] ?? 3), seconds = process.argv[3] ?? '4', message = process.argv[4] ?? 'meter', rate = process.argv[5] ?? '0', folder = process.argv[6] ?? ''
const references = folder ? null : await openReferences(300)
const system = await startDistributed({ gateways: 1, workers: [], partitions: 12, nodeArgs: folder ? ['--cpu-prof', '--cpu-prof-interval=400', `--cpu-prof-dir=${folder}`] : [] }, { BUSBAR_LOG_LEVEL: 'warn' })
try {
  await registerStations(system, 300)
  const g = system.gateways[0]!
  for (let i = 0; i < reps; i++) {
    const timed = { message, rate, seconds } as any
    const ref = references ? await references.measure(message === 'heartbeat' ? ['echo'] : ['thin-log'], Number(rate) ? 20 : 0, timed) : null
    const m = await underLoad([g.child.pid!], { stations: 300, password: stationPassword, prefix: 'BENCH', ports: g.port, ...timed })
    console.log('thin', ref?.cpuUsPerCall[0]?.toFixed(1), ref?.callsPerSecond.toFixed(0), 'ours', m.cpuUsPerCall[0]!.toFixed(1), m.callsPerSecond.toFixed(0), 'p50', m.p50.toFixed(1), 'ratio', (m.cpuUsPerCall[0]! / (ref?.cpuUsPerCall[0] ?? NaN)).toFixed(2))
  }
} finally { await system.stop(); await references?.close() }
