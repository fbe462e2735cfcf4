import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findSpellings, spellingsOf } from './spellings.js'

const secret = 'c0ffee5ecre7c0ffee5ecre7'

test('a secret is found however it is spelled and whatever stands around it', () => {
  const spellings = spellingsOf(secret)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }), (before, after) => {
      const around = (bytes: Buffer) => Buffer.concat([before, bytes, after])
      const plain = around(Buffer.from(secret))
      for (const text of [plain.toString('hex'), plain.toString('base64'), plain.toString('base64url')]) {
        expect(findSpellings(Buffer.from(text), spellings)).not.toEqual([])
      }
      expect(findSpellings(plain, spellings)).toContain('plain')
      expect(findSpellings(around(Buffer.from(secret, 'utf16le')), spellings)).toContain('utf-16le')
      expect(findSpellings(Buffer.from(JSON.stringify(plain)), spellings)).toContain('plain, bytes')
    }),
  )
})

test('what is not there is not found', () => {
  expect(findSpellings(Buffer.from('nothing of the kind c0ffee5ecre'), spellingsOf(secret))).toEqual([])
})
