import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InboundRecord } from '../../pipeline/service.js'
import { type Correction, isOtherTotal, toTotals } from '../correction.js'
import { history16, type Message, message201, rearranged } from '../histories.js'
import type { ChargingState } from '../state.js'
import { chargingState, decide, minute, newId, operatorRequest, propertyRuns } from '../testing.js'
import type { ChargingTransaction } from '../transaction.js'
import type { OperatorRequest } from './request.js'

type Wish = Pick<OperatorRequest, 'kind' | 'content'>

const at = fc.option(fc.integer({ min: -5, max: 60 }).map(minute), { nil: undefined })
const close = at.map((endedAt): Wish => ({ kind: 'close', content: { ...(endedAt && { endedAt }) } }))
const correct = fc
  .record({ startedAt: at, endedAt: at, energyWh: fc.option(fc.integer({ min: 0, max: 9_000 }), { nil: undefined }) })
  .map(({ startedAt, endedAt, energyWh }): Wish => {
    const content = { ...(startedAt && { startedAt }), ...(endedAt && { endedAt }) }
    return { kind: 'correct', content: { ...content, ...(energyWh !== undefined && { energyWh }) } }
  })

/** What the station says, in its order and in another with repeats, each with the same wishes anywhere in between. */
const histories = (messages: fc.Arbitrary<Message[]>) =>
  fc
    .record({ history: rearranged(messages), wishes: fc.array(fc.oneof(close, correct, correct), { maxLength: 5 }) })
    .chain(({ history: { sent, again }, wishes }) =>
      fc.record({
        sent: fc.constant(sent),
        wishes: fc.constant(wishes),
        mixed: fc
          .array(fc.nat({ max: again.length }), { minLength: wishes.length, maxLength: wishes.length })
          .map((places) =>
            interleave(
              again,
              wishes,
              places.sort((left, right) => left - right),
            ),
          ),
      }),
    )

function interleave(messages: Message[], wishes: Wish[], places: number[]): (Message | Wish)[] {
  return [...messages, null].flatMap((message, index) => [
    ...wishes.filter((_, wish) => places[wish] === index),
    ...(message ? [message] : []),
  ])
}

interface Played {
  state: ChargingState
  records: InboundRecord[]
  transaction: ChargingTransaction | undefined
}

/** A wish made before there is any transaction finds none, as in the API. */
function play(steps: readonly (Message | Wish)[]): Played {
  const state = chargingState()
  const records: InboundRecord[] = []
  steps.forEach((step, sequence) => {
    const [transaction] = state.changedTransactions
    if (typeof step !== 'function' && !transaction) return
    const record =
      typeof step === 'function'
        ? step({ sequence, connectionId: `connection-${sequence % 3}` })
        : operatorRequest(transaction?.id ?? '', { ...step, id: newId() })
    records.push(record)
    decideAndCheck(state, record)
  })
  return { state, records, transaction: [...state.changedTransactions][0] }
}

/** Whatever changes a total after the end leaves one correction, from what was to what is, and one event that tells it. */
function decideAndCheck(state: ChargingState, record: InboundRecord): void {
  const before = [...state.changedTransactions].map((each) => ({ each, was: toTotals(each) }))
  const rows = state.newCorrections.length
  const { events = [] } = decide(state, record)
  const applied = state.newCorrections.slice(rows).filter(({ status }) => status === 'applied')
  for (const { each, was } of before) {
    const is = toTotals(each)
    const [correction, ...others] = applied.filter(({ transactionId }) => transactionId === each.id)
    expect(others).toEqual([])
    if (correction) expect(correction).toMatchObject({ before: was, after: is })
    const isChanged = was.endedAt !== null && isOtherTotal(was, is)
    if (isChanged) expect(correction).toBeDefined()
    const told = events.filter(({ type, subject }) => type === 'transaction.corrected' && subject === each.id)
    expect(told).toHaveLength(correction && correction.kind !== 'close' ? 1 : 0)
  }
}

const last = <Name extends keyof OperatorRequest['content']>(applied: Wish[], name: Name) =>
  applied.map(({ content }) => content[name]).findLast((value) => value !== undefined)

test.each([
  ['1.6', histories(history16)],
  ['2.0.1', histories(fc.array(message201, { maxLength: 6 }))],
])(
  'the end of a %s transaction follows from what was said and what was agreed to, in whatever order that came',
  (_, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, ({ sent, mixed }) => {
        const { state, records, transaction } = play(mixed)
        const alone = play(sent).transaction
        if (!transaction || !alone) return
        const asked = new Map(records.map(({ payload }) => [payload.id, payload as unknown as OperatorRequest]))
        const applied = (kind: Correction['kind']) =>
          state.newCorrections
            .filter((each) => each.kind === kind && each.status === 'applied')
            .flatMap(({ id }) => asked.get(id) ?? [])
        const corrections = applied('correct')
        const closed = state.newCorrections.find(({ kind, status }) => kind === 'close' && status === 'applied')

        // What the station tells is the same with and without wishes, and counts where nobody set anything else.
        expect(transaction.registers).toEqual(alone.registers)
        const energyWh = last(corrections, 'energyWh') ?? (alone.energyWh === null ? null : Number(alone.energyWh))
        expect(toTotals(transaction)).toMatchObject({
          energyWh,
          startedAt: last(corrections, 'startedAt') ?? toTotals(alone).startedAt,
          endedAt: last(corrections, 'endedAt') ?? toTotals(alone).endedAt ?? closed?.after?.endedAt ?? null,
        })
        expect(transaction.flags.includes('closed')).toBe(closed !== undefined)
        expect(applied('close').length).toBeLessThanOrEqual(1)
      }),
      { numRuns: propertyRuns },
    )
  },
  3_600_000,
)

test('all of it once more, requests included, changes nothing and tells nothing', () => {
  fc.assert(
    fc.property(histories(fc.oneof(history16, fc.array(message201, { maxLength: 6 }))), ({ mixed }) => {
      const { state, records } = play(mixed)
      const before = structuredClone({ rows: [...state.changedTransactions], corrections: state.newCorrections })
      const events = records.flatMap((record) => decide(state, record).events ?? [])
      expect(events).toEqual([])
      expect({ rows: [...state.changedTransactions], corrections: state.newCorrections }).toEqual(before)
    }),
    { numRuns: propertyRuns },
  )
}, 3_600_000)
