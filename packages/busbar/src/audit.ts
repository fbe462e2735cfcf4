import { formatAnchor, type Link, verifyAudit } from '@busbar/api'
import type { Config } from './config.js'
import { withStorage } from './platform.js'

/** Prints what came of it, the first broken entry or the head to note. @returns whether the chain holds */
export async function verifyAuditLog(config: Config, anchor: Link | null): Promise<boolean> {
  return withStorage(config, async (storage) => {
    const { head, unsealed, broken } = await verifyAudit(storage, anchor)
    if (broken) {
      const entry = broken.entryId === null ? '' : `, id ${broken.entryId}`
      console.log(`broken at entry ${broken.position}${entry}: ${broken.kind}`)
    } else console.log(`intact: ${head.position} entries, ${unsealed} not sealed yet`)
    console.log(`anchor ${formatAnchor(head)}`)
    return broken === null
  })
}
