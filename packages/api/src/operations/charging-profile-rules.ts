import { isReplacedBy } from '@busbar/ocpp'
import type { InstalledProfile } from '../charging-books.js'
import type { Fault } from '../problems.js'
import type { ProfileDraft } from './charging-profile.js'
import type { ProfileFacts } from './charging-profile-facts.js'

/** Broken or not, where in the draft, what is wrong. */
type Rule = readonly [isBroken: boolean, pointer: string, detail: string]

const toFaults = (rules: readonly Rule[]): Fault[] =>
  rules.filter(([isBroken]) => isBroken).map(([, pointer, detail]) => ({ detail, pointer }))

/** Of a recurrence. */
export const recurrenceSeconds = { Daily: 86_400, Weekly: 7 * 86_400 } as const

/** What the standard refuses of any station. @see OCPP 1.6 §3.13.1, §5.16 with errata 3.44 and 3.45 */
export function findWishFaults(draft: ProfileDraft, facts: ProfileFacts): Fault[] {
  return toFaults([...purposeRules(draft, facts), ...scheduleRules(draft, facts)])
}

function purposeRules(draft: ProfileDraft, { use, connector, transaction }: ProfileFacts): Rule[] {
  const { purpose, transaction: id, transactionId } = draft
  const isNamed = id !== undefined || transactionId !== undefined
  const pointer = transactionId === undefined ? '/transaction' : '/transactionId'
  if (use === 'remote-start') {
    return [
      [purpose !== 'TxProfile', '/purpose', 'a remote start takes a TxProfile only'],
      [isNamed, pointer, 'the transaction of a remote start does not exist yet'],
    ]
  }
  const isForTransaction = purpose === 'TxProfile'
  const isElsewhere = transaction !== null && transaction.connector !== null && transaction.connector !== connector
  return [
    [
      purpose === 'ChargePointMaxProfile' && connector !== 0,
      '/purpose',
      'a ChargePointMaxProfile is set at connector 0',
    ],
    [isForTransaction && connector === 0, '/purpose', 'a TxProfile is set at a connector, not at the station'],
    [isForTransaction && !isNamed, '/transaction', 'a TxProfile needs its transaction'],
    [!isForTransaction && isNamed, pointer, 'only a TxProfile has a transaction'],
    [id !== undefined && transactionId !== undefined, '/transactionId', 'name the transaction once'],
    [isForTransaction && isNamed && transaction === null, pointer, 'this station has no such transaction'],
    [transaction?.isOver === true, pointer, 'the transaction is over'],
    [isForTransaction && connector !== 0 && isElsewhere, pointer, `it runs on connector ${transaction?.connector}`],
  ]
}

function scheduleRules(draft: ProfileDraft, { now }: ProfileFacts): Rule[] {
  const { kind, recurrency, periods, durationSeconds, startAt, validFrom, validTo } = draft
  const recurs = kind === 'Recurring'
  const isTooLong = recurs && recurrency !== undefined && (durationSeconds ?? 0) > recurrenceSeconds[recurrency]
  return [
    [recurs && recurrency === undefined, '/recurrency', 'a Recurring profile needs it'],
    [!recurs && recurrency !== undefined, '/recurrency', 'only a Recurring profile has it'],
    [recurs && startAt === undefined, '/startAt', 'a Recurring profile needs it'],
    [kind === 'Relative' && startAt !== undefined, '/startAt', 'a Relative profile starts with the transaction'],
    [isTooLong, '/durationSeconds', 'longer than a recurrence: the rest would never run'],
    [validFrom !== undefined && validTo !== undefined && validFrom >= validTo, '/validTo', 'not after validFrom'],
    [validTo !== undefined && validTo <= now, '/validTo', 'is over'],
    ...periods.flatMap(({ start, limit }, index): Rule[] => [
      [index === 0 && start !== 0, '/periods/0/start', 'the first period starts at 0'],
      [start <= (periods[index - 1]?.start ?? -1), `/periods/${index}/start`, 'not after the period before it'],
      [limit < 0, `/periods/${index}/limit`, 'is negative'],
    ]),
  ]
}

/** What this station has said it would refuse. @see OCPP 1.6 §3.13.5, §9.4 */
export function findStationFaults({ draft, connector }: Wish, facts: ProfileFacts): Fault[] {
  const { maxStackLevel, maxPeriods, maxInstalled, units } = facts.limits
  const kept = facts.installed.filter((installed) => !isReplaced(installed, draft, connector, facts)).length
  return toFaults([
    [
      maxStackLevel !== null && draft.stackLevel > maxStackLevel,
      '/stackLevel',
      `above the station's ChargeProfileMaxStackLevel, ${maxStackLevel}`,
    ],
    [
      maxPeriods !== null && draft.periods.length > maxPeriods,
      '/periods',
      `more than the station's ChargingScheduleMaxPeriods, ${maxPeriods}`,
    ],
    [units !== null && !units.includes(draft.unit), '/unit', `the station takes ${units?.join(' and ')} only`],
    [
      maxInstalled !== null && kept >= maxInstalled,
      '',
      `the station has ${kept} others, and its MaxChargingProfilesInstalled is ${maxInstalled}`,
    ],
  ])
}

/** A draft, and where it is to be set. */
interface Wish {
  draft: ProfileDraft
  connector: number | undefined
}

function isReplaced(
  installed: InstalledProfile,
  { purpose, stackLevel, profileId }: ProfileDraft,
  connector: number | undefined,
  { transaction }: ProfileFacts,
): boolean {
  const profile = { chargingProfilePurpose: purpose, stackLevel, chargingProfileId: profileId ?? null }
  // A remote start begins a stack of its own.
  const wished = { connectorId: connector ?? null, profile, transactionId: transaction?.id ?? 'none' }
  return isReplacedBy(installed, wished)
}
