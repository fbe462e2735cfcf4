import { expect } from 'vitest'
import type { Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

export interface SentList {
  listVersion: number
  updateType: string
  localAuthorizationList?: { idTag: string; idTagInfo?: object }[]
}

export const tagsOf = ({ localAuthorizationList = [] }: SentList) => localAuthorizationList.map(({ idTag }) => idTag)

let version = 0

/** Rises from case to case, as a tool's operator would number its lists. */
export const nextVersion = () => ++version

/** Busbar may have drawn the last one. */
export const goesOnFrom = ({ listVersion }: SentList) => {
  version = Math.max(version, listVersion)
}

/** A full list of these tokens, accepted. @returns its version */
export async function sendsFullList(lab: Lab, tokens: string[]): Promise<number> {
  const sent = await lab.asks<SentList>(wishes.sendList('full', nextVersion(), tokens), { status: 'Accepted' })
  expect(sent.listVersion).toBeGreaterThan(0)
  expect(tagsOf(sent).sort()).toEqual([...tokens].sort())
  expect(sent.localAuthorizationList?.every(({ idTagInfo }) => idTagInfo)).toBe(true)
  goesOnFrom(sent)
  return sent.listVersion
}

/** Local authorization list. */
export const localList = {
  TC_042_1_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.listVersion(), { listVersion: -1 })
    await lab.shows('local-list', { version: -1, entries: [] })
  },

  TC_042_2_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.listVersion(), { listVersion: 0 })
    await lab.shows('local-list', { version: 0, entries: [] })
  },

  TC_043_1_CSMS: async (lab: Lab) => {
    await lab.asks(
      wishes.sendList('full', nextVersion(), [lab.bench.tokens.valid]),
      { status: 'NotSupported' },
      'rejected',
    )
    await lab.shows('local-list', { state: 'not-supported' })
  },

  TC_043_3_CSMS: async (lab: Lab) => {
    await lab.asks(wishes.sendList('full', nextVersion(), [lab.bench.tokens.valid]), { status: 'Failed' }, 'rejected')
    await lab.shows('local-list', { state: 'failed' })
  },

  TC_043_4_CSMS: async (lab: Lab) => {
    const { valid, sibling } = lab.bench.tokens
    const sent = await sendsFullList(lab, [valid, sibling])
    await lab.showsList(sent, [valid, sibling])
  },

  TC_043_5_CSMS: async (lab: Lab) => {
    const { valid, sibling } = lab.bench.tokens
    const before = await sendsFullList(lab, [valid])
    await lab.asks(wishes.listVersion(), { listVersion: before })
    const wish = wishes.sendList('differential', nextVersion(), [sibling])
    const sent = await lab.asks<SentList>(wish, { status: 'Accepted' })
    expect(tagsOf(sent)).toEqual([sibling])
    expect(sent.listVersion).toBeGreaterThan(before)
    goesOnFrom(sent)
    await lab.showsList(sent.listVersion, [valid, sibling])
  },
}
