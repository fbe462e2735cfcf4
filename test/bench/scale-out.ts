import type { Measured } from './measure.js'
import { startProduct } from './product.js'

/** P18: the system with one gateway and one worker, then with two of each, on the same cores. */
export async function scaleOut(stations: number, seconds: number): Promise<Record<string, number>> {
  const measure = async (each: number): Promise<Measured> => {
    const product = await startProduct({ stations, each })
    try {
      return await product.measure({ message: 'start', seconds })
    } finally {
      await product.system.stop()
    }
  }
  // Of gateways and workers; the last one is the process apart.
  const us = ({ cpuUsPerCall }: Measured) => cpuUsPerCall.slice(0, -1).reduce((sum, each) => sum + each, 0)
  const [one, two] = [await measure(1), await measure(2)]
  return {
    callsPerSecond1: one.callsPerSecond,
    callsPerSecond2: two.callsPerSecond,
    rateRatio: two.callsPerSecond / one.callsPerSecond,
    us1: us(one),
    us2: us(two),
    usRatio: us(two) / us(one),
  }
}
