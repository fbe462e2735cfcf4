import type { Measured } from './measure.js'

export type Figures = Record<string, number>

/** One goal: what the stations send, what it is compared with, and the figures that the goal speaks of. */
export interface Row {
  id: string
  what: string
  goal: string
  /** Of the load: what is called, at which rate (calls per second over all stations; none is as fast as answered). */
  load: { message: string; rate?: number }
  /** The reference's processes; the last one takes the stations. */
  reference: readonly string[]
  lingerMs?: number
  read(reference: Measured, product: Measured): Figures
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const gatewayUs = ({ cpuUsPerCall }: Measured) => cpuUsPerCall[0] ?? Number.NaN
const gatewayAndWorkerUs = ({ cpuUsPerCall }: Measured) => sum(cpuUsPerCall.slice(0, 2))
const apartUs = ({ cpuUsPerCall }: Measured) => cpuUsPerCall[2] ?? Number.NaN

const cpu = (of: (measured: Measured) => number) => (reference: Measured, product: Measured) => ({
  referenceUs: of(reference),
  productUs: of(product),
  ratio: of(product) / of(reference),
})
const gatewayCpu = cpu(gatewayUs)
const pathCpu = cpu(gatewayAndWorkerUs)

const rates = (reference: Measured, product: Measured) => ({
  callsPerSecond: product.callsPerSecond,
  rateRatio: product.callsPerSecond / reference.callsPerSecond,
  apartUs: apartUs(product),
})

const latencies = (reference: Measured, product: Measured) => ({
  referenceP50: reference.p50,
  p50: product.p50,
  p50Ratio: product.p50 / reference.p50,
  referenceP99: reference.p99,
  p99: product.p99,
  p99Ratio: product.p99 / reference.p99,
  missed: product.missed,
})

export const rows: readonly Row[] = [
  {
    id: 'P1',
    what: 'Heartbeat: gateway CPU, against a bare ws echo',
    goal: '<= 2.0x',
    load: { message: 'heartbeat' },
    reference: ['echo'],
    read: gatewayCpu,
  },
  {
    id: 'P2+P3',
    what: 'MeterValues answered on log: gateway CPU; calls/s',
    goal: '<= 1.25x; >= 0.75x',
    load: { message: 'meter' },
    reference: ['thin-log'],
    read: (reference, product) => ({ ...gatewayCpu(reference, product), ...rates(reference, product) }),
  },
  {
    id: 'P3b',
    what: 'the same at 300/s: gateway CPU, thin at linger 20 ms; p50 ms',
    goal: '<= 1.15x; <= 25 ms',
    load: { message: 'meter', rate: 300 },
    reference: ['thin-log'],
    lingerMs: 20,
    read: (reference, product) => ({ ...gatewayCpu(reference, product), p50: product.p50 }),
  },
  {
    id: 'P4',
    what: 'StartTransaction, all rules, committed: calls/s; gateway + worker CPU',
    goal: '>= 0.50x; <= 140 us',
    load: { message: 'start' },
    reference: ['thin-worker', 'thin-commit'],
    read: (reference, product) => ({ ...pathCpu(reference, product), ...rates(reference, product) }),
  },
  {
    id: 'P5',
    what: 'StartTransaction at 500/s, open load: p50 / p99 ms',
    goal: '<= 1.6x / <= 2x',
    load: { message: 'start', rate: 500 },
    reference: ['thin-worker', 'thin-commit'],
    read: latencies,
  },
]
