import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const module = fileURLToPath(new URL('log.ts', import.meta.url))

/** What a process prints that logs each text as a value and as a message. */
function printed(texts: readonly string[]): string {
  const program = `
    import { openLog } from ${JSON.stringify(module)}
    const log = openLog('info')
    for (const text of ${JSON.stringify(texts)}) log.info({ text, [text]: 1 }, text)`
  const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program])
  return stdout.toString('utf8')
}

test('each entry is one line of printable JSON that tells the text as it was', () => {
  const texts = [
    ...['a\nb', 'a\r\nb', '\u001b[2J', '\u009b31m', '\u0000\u0007\b\u007f', '\u0085\u2028\u2029', '\u202eabc\u2066'],
    ...['"},{"level":60', '</script><script>', '\ufeff\u200b', '\ud800 alone', 'ß€😀'],
    ...fc.sample(fc.string({ unit: 'binary' }), 500),
  ]

  const lines = printed(texts).split('\n')

  expect(lines.pop()).toBe('')
  // A lone surrogate has no UTF-8.
  const toWellFormed = (text: string) => Buffer.from(text).toString()
  expect(lines.map((line) => toWellFormed(JSON.parse(line).msg))).toEqual(texts.map(toWellFormed))
  expect(lines.filter((line) => /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(line))).toEqual([])
})
