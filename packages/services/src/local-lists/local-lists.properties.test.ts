import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { canBuildOn, LocalListsState } from './state.js'
import { decideAll, facts, heldTags, listNews, off, on, versionNews } from './testing.js'

const runs = { numRuns: Number(process.env.PROPERTY_RUNS ?? 2_000) }

const item = fc.constantFrom('A', 'B', 'C').chain((tag) => fc.constantFrom(on(tag), off(tag)))
const send = fc.record({
  kind: fc.constantFrom('Full' as const, 'Differential' as const),
  items: fc.uniqueArray(item, { maxLength: 3, selector: ({ idTag }) => idTag }),
  /** What the station does, and what comes of its answer. */
  outcome: fc.constantFrom('accepted', 'rejected', 'failed', 'lost, done', 'lost, not done', 'late'),
})
const ask = fc.record({ kind: fc.constant('version' as const) })
const history = fc.array(fc.oneof({ weight: 4, arbitrary: send }, ask), { maxLength: 10 })

/** A station that does as the standard says, and the news of it in the order of things. */
function play(steps: typeof history extends fc.Arbitrary<infer Steps> ? Steps : never) {
  let held = new Set<string>()
  let version = 0
  const records: InboundRecord[] = []
  steps.forEach((step, index) => {
    if (step.kind === 'version') {
      records.push(versionNews('requested'), versionNews('accepted', version))
      return
    }
    const sent = { mode: step.kind, version: index + 1, items: step.items }
    const tell = (stage: Parameters<typeof listNews>[0], status?: string) =>
      records.push(listNews(stage, sent, { command: index + 1, ...(status !== undefined && { status }) }))
    tell('requested')
    if (['accepted', 'lost, done', 'late'].includes(step.outcome)) {
      if (step.kind === 'Full') held = new Set()
      for (const each of step.items) {
        if ('idTagInfo' in each) held.add(each.idTag.toLowerCase())
        else held.delete(each.idTag.toLowerCase())
      }
      version = index + 1
    }
    if (step.outcome === 'rejected') tell('rejected', 'Failed')
    else if (step.outcome === 'accepted') tell('accepted')
    else if (step.outcome === 'failed') tell('failed')
    else tell('unknown')
    if (step.outcome === 'late') tell('accepted')
  })
  return { held: [...held].sort(), version, records }
}

const newState = () => new LocalListsState({ stations: [facts({ switches: {} })] })

test('what Busbar would build on is what the station holds, whatever became of the lists before', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { held, version, records } = play(steps)
      const state = newState()
      decideAll(state, ...records)
      const list = state.list('CP-1')
      if (!canBuildOn(list)) return
      expect(heldTags(state)).toEqual(held)
      expect(list.version).toBe(version)
    }),
    runs,
  )
})

test('news told again from any point on comes to the same list', () => {
  fc.assert(
    fc.property(history, fc.nat(), fc.nat(), (steps, cutAt, backAt) => {
      const { records } = play(steps)
      const once = newState()
      decideAll(once, ...records)
      // The outbox sends again what it had not seen off, and goes on from there.
      const cut = cutAt % (records.length + 1)
      const again = newState()
      decideAll(again, ...records.slice(0, cut), ...records.slice(backAt % (cut + 1)))
      expect(heldTags(again)).toEqual(heldTags(once))
      expect(again.list('CP-1').version).toBe(once.list('CP-1').version)
    }),
    runs,
  )
})

test('whatever stations answer, a refused differential leads to one question and at most one full list', () => {
  const refusal = fc.record({
    command: fc.integer({ min: 1, max: 3 }),
    mode: fc.constantFrom('Full' as const, 'Differential' as const),
    status: fc.constantFrom('Failed', 'VersionMismatch', 'NotSupported'),
  })
  const happening = fc.oneof(
    refusal.map(({ command, mode, status }) => listNews('rejected', { mode, version: 9 }, { command, status })),
    fc.integer({ min: -1, max: 5 }).map((version) => versionNews('accepted', version, { requestedBy: 'stations' })),
    fc.constant(versionNews('unknown', null, { requestedBy: 'stations' })),
  )
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 20 }), (records) => {
      const state = new LocalListsState({ stations: [facts()] })
      const commands = decideAll(state, ...records).flatMap(({ commands = [] }) => commands)
      const questions = commands.filter(({ action }) => action === 'GetLocalListVersion').length
      const refused = records.filter(
        ({ payload }) => (payload.sent as { updateType?: string }).updateType === 'Differential',
      )
      expect(questions).toBeLessThanOrEqual(refused.length)
      expect(commands.length - questions).toBeLessThanOrEqual(questions)
    }),
    runs,
  )
})
