import type { Case } from '../lab.js'
import type { CaseId } from '../rows.js'
import { bootSession } from './boot-session.js'
import { configuration } from './configuration.js'
import { coreDerived } from './core-derived.js'
import { dataTransfer } from './data-transfer.js'
import { firmware } from './firmware.js'
import { localList } from './local-list.js'
import { profilesDerived } from './profiles-derived.js'
import { remote } from './remote.js'
import { reservation } from './reservation.js'
import { rpc } from './rpc.js'
import { security } from './security.js'
import { securityDerived } from './security-derived.js'
import { smartCharging } from './smart-charging.js'
import { tls } from './tls.js'
import { remoteTrigger } from './trigger.js'
import { unhappy } from './unhappy.js'

/** A row without a case does not compile. */
export const cases: Record<CaseId, Case> = {
  ...bootSession,
  ...remote,
  ...configuration,
  ...unhappy,
  ...localList,
  ...firmware,
  ...reservation,
  ...remoteTrigger,
  ...smartCharging,
  ...dataTransfer,
  ...security,
  ...tls,
  ...rpc,
  ...coreDerived,
  ...profilesDerived,
  ...securityDerived,
}
