import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideWith, startTestGateway } from '../testing.js'

const runs = Number(process.env.PROPERTY_RUNS ?? 300)

/** From pure noise to calls that are nearly right. */
const anyFrame = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.json(),
  fc
    .tuple(fc.integer({ min: 0, max: 7 }), fc.oneof(fc.string(), fc.integer(), fc.constant(null)), fc.jsonValue())
    .map((frame) => JSON.stringify(frame)),
  fc
    .tuple(
      fc.constant(2),
      fc.string({ minLength: 1, maxLength: 40 }),
      fc.constantFrom(
        'Heartbeat',
        'StatusNotification',
        'MeterValues',
        'StartTransaction',
        'TransactionEvent',
        'Reset',
        'toString',
        '',
      ),
      fc.oneof(
        fc.dictionary(
          fc.constantFrom('connectorId', 'idTag', 'meterStart', 'status', '__proto__', 'evseId'),
          fc.jsonValue(),
        ),
        fc.jsonValue(),
      ),
    )
    .map((frame) => JSON.stringify(frame)),
  fc.string({ maxLength: 30 }).map((rest) => `[2,"id",${rest}`),
)

test.each(['ocpp1.6', 'ocpp2.0.1'])(
  'random frames over %s: an answer or none is due, and the next call is answered',
  async (protocol) => {
    const gateway = await startTestGateway({ answerWithinMs: 60_000, safeAnswerAfterMs: 60_000 })
    decideWith(gateway, () => ({ result: {} }))
    const station = await gateway.connect({ protocols: [protocol] })
    let number = 0

    await fc.assert(
      fc.asyncProperty(anyFrame, async (text) => {
        station.frames.length = 0
        const marker = `marker-${++number}`
        station.send(text)
        station.call(marker, 'Heartbeat', {})
        expect((await station.answer(marker))[0]).toBe(3)
        const answers = station.frames.slice(0, -1)
        expect(answers.length).toBeLessThanOrEqual(1)
        if (isCallLike(text, protocol)) expect(answers).toHaveLength(1)
        for (const answer of answers) expect([3, 4]).toContain(answer[0])
      }),
      { numRuns: runs },
    )
  },
  60_000 + runs * 10,
)

/** What has to be answered: whatever 2.0.1 cannot take for an answer; over 1.6, what has a message id. */
function isCallLike(text: string, protocol: string): boolean {
  let frame: unknown
  try {
    frame = JSON.parse(text)
  } catch {
    return false
  }
  if (!Array.isArray(frame)) return protocol === 'ocpp2.0.1'
  if (frame[0] === 3 || frame[0] === 4) return false
  if (protocol === 'ocpp2.0.1') return true
  return frame[0] === 2 && typeof frame[1] === 'string' && frame[1] !== '' && frame[1] !== '-1'
}
