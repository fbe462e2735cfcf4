import fc from 'fast-check'
import { expect, test } from 'vitest'
import { transfersWorld } from './testing.js'
import type { TransferKind } from './transfer.js'

const numRuns = Number(process.env.PROPERTY_RUNS ?? 300)

const words: Readonly<Record<TransferKind, readonly string[]>> = {
  firmware: ['Downloading', 'Downloaded', 'DownloadFailed', 'Installing', 'InstallationFailed', 'Installed', 'Idle'],
  'signed-firmware': ['Downloading', 'DownloadPaused', 'SignatureVerified', 'InvalidSignature', 'Installed', 'Idle'],
  diagnostics: ['Uploading', 'UploadFailed', 'Uploaded', 'Idle'],
  log: ['Uploading', 'PermissionDenied', 'UploadFailure', 'Uploaded', 'Idle'],
}

const kind = fc.constantFrom<TransferKind>('firmware', 'signed-firmware', 'diagnostics', 'log')

/** Words of a station, the same in another order and with repetitions, and where the answer comes in between. */
const stories = kind.chain((each) =>
  fc.array(fc.constantFrom(...words[each]), { maxLength: 8 }).chain((statuses) =>
    fc.record({
      kind: fc.constant(each),
      statuses: fc.constant(statuses),
      again: fc
        .tuple(fc.shuffledSubarray(statuses, { minLength: statuses.length }), fc.subarray(statuses))
        .map(([shuffled, repeated]) => [...shuffled, ...repeated]),
      answeredAfter: fc.nat({ max: 8 }),
    }),
  ),
)

function play(each: TransferKind, statuses: readonly string[], answeredAfter: number) {
  const world = transfersWorld()
  const requestId = each === 'log' || each === 'signed-firmware' ? 5 : undefined
  const news = { sent: { requestId: 5 }, response: { fileName: 'a', status: 'Accepted' } }
  world.hears(each, 'requested', news)
  statuses.forEach((status, index) => {
    if (index === answeredAfter) world.hears(each, 'accepted', news)
    expect(world.notifies(each, status, requestId).answer).toEqual({ result: {} })
  })
  if (answeredAfter >= statuses.length) world.hears(each, 'accepted', news)
  const [transfer] = world.all()
  expect(world.all()).toHaveLength(1)
  return { state: transfer?.state, words: transfer?.history.map(({ status }) => status).sort() }
}

test('a transfer comes to one state, whatever the order and repetition of what the station says', () => {
  fc.assert(
    fc.property(stories, ({ kind: each, statuses, again, answeredAfter }) => {
      const straight = play(each, statuses, statuses.length)

      expect(play(each, again, answeredAfter)).toEqual(straight)
      const told = statuses.filter((status) => status !== 'Idle')
      if (told.includes('Installed') || told.includes('Uploaded')) expect(straight.state).toBe('succeeded')
      else if (told.length === 0) expect(straight.state).toBe('accepted')
      else expect(['running', 'failed']).toContain(straight.state)
    }),
    { numRuns },
  )
})
