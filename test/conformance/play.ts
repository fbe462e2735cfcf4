import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import type { TestCase } from 'vitest/node'
import { startVitest } from 'vitest/node'
import type { Played } from './report.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Plays the cases whose title matches, in these set-ups. */
export async function play(setUps: readonly string[], pattern: string): Promise<Played[]> {
  const played: Played[] = []
  const vitest = await startVitest(
    'test',
    setUps.map((setUp) => `test/conformance/v16/${setUp}.test.ts`),
    {
      ...{ root, config: 'test/vitest.config.ts', watch: false },
      // Side by side the set-ups would make each other's answers late; one after the other a full run takes three hours.
      fileParallelism: process.env.CONFORMANCE_FULL === '1',
      ...(pattern !== '' && { testNamePattern: pattern }),
      reporters: [
        {
          onTestCaseResult: (test) => {
            if (test.result().state !== 'skipped') played.push(toPlayed(test))
          },
          onTestModuleEnd: (module) => {
            for (const { message } of module.errors()) console.error(message)
          },
        },
      ],
    },
  )
  await vitest.close()
  // What failed is in the table; the process ends as the table says.
  process.exitCode = 0
  return played
}

function toPlayed(test: TestCase): Played {
  const [id = ''] = test.name.split(' ')
  const { errors = [] } = test.result()
  const setUp = /v16\/(\w+)\.test\.ts$/.exec(test.module.moduleId)?.[1] ?? ''
  const order = /random order \d/.exec(test.fullName)?.[0]
  const reason = errors.map(({ message }) => stripVTControlCharacters(message).split('\n')[0]).join('; ')
  return {
    id,
    set: order ? `${setUp}, ${order}` : setUp,
    reason: test.result().state === 'passed' ? null : reason || 'its preparation failed',
    exchanges: test.meta().exchanges ?? [],
  }
}
