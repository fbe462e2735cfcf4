import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { mutants } from './mutants.js'

const packages = new URL('../../../packages/', import.meta.url)

test.each(mutants)('the source has one place for the mutant: $name', async ({ changes }) => {
  for (const { file, find } of changes) {
    const source = await readFile(new URL(file, packages), 'utf8')
    expect(source.split(find).length - 1, file).toBe(1)
  }
})
