import { validate } from '@busbar/ocpp'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { history16, type Message, message201, rearranged } from './histories.js'
import { project, rowsOf } from './projection.js'
import { chargingState, decide, propertyRuns } from './testing.js'

/** Decides all messages; a message has the same identity however often it is sent. */
function play(messages: Message[]) {
  const state = chargingState()
  const answers = new Map<Message, Set<string>>()
  messages.forEach((message, index) => {
    const record = message({ sequence: index, connectionId: `connection-${index % 3}` })
    const decision = decide(state, record)
    expect(validate(record.protocol, record.action, 'response', decision.result, 'outbound')).toEqual([])
    answers.set(message, (answers.get(message) ?? new Set()).add(JSON.stringify(decision.result)))
  })
  return { projection: project(rowsOf(state), { arrival: false }), answers }
}

test.each([
  ['2.0.1', fc.array(message201, { maxLength: 8 })],
  ['1.6', history16],
])(
  'a %s transaction comes to one state, whatever the order and repetition of its messages',
  (_, histories) => {
    fc.assert(
      fc.property(rearranged<Message>(histories), ({ sent, again }) => {
        const once = play(sent)
        const replayed = play(again)
        expect(replayed.projection).toEqual(once.projection)
        for (const [message, answers] of replayed.answers) {
          expect([...answers]).toEqual([...(once.answers.get(message) ?? [])])
        }
      }),
      { numRuns: propertyRuns },
    )
  },
  3_600_000,
)

test('sent twice as a whole, nothing changes and no event leaves', () => {
  fc.assert(
    fc.property(fc.oneof(fc.array(message201, { maxLength: 8 }), history16), (messages) => {
      const state = chargingState()
      for (const message of messages) decide(state, message({}))
      const before = structuredClone(project(rowsOf(state), { arrival: false }))
      const events = messages.flatMap((message) => decide(state, message({})).events ?? [])
      expect(events).toEqual([])
      expect(project(rowsOf(state), { arrival: false })).toEqual(before)
    }),
    { numRuns: propertyRuns },
  )
}, 3_600_000)
