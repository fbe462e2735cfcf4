import { expect, test } from 'vitest'
import { hasServices } from '../support/system.js'
import { startProduct } from './product.js'
import { soak } from './soak.js'

/** CI: 10. An hour at five times the rate: `npm run bench -- --only P20 --soak-minutes 60`. */
const minutes = Number(process.env.SOAK_MINUTES ?? 0.5)
const stations = 300

test.skipIf(!hasServices())(
  `sessions for ${minutes} minutes: no process holds more and more`,
  async () => {
    const product = await startProduct({ stations })
    try {
      const { calls, heldGrowth } = await soak(product, { stations, minutes, rate: 100 })

      expect(calls).toBeGreaterThan(minutes * 60 * 50)
      for (const [name, percent] of Object.entries(heldGrowth)) expect(percent, name).toBeLessThan(10)
    } finally {
      await product.system.stop()
    }
  },
  minutes * 60_000 + 120_000,
)
