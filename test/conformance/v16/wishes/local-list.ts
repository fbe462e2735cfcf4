import { expect } from 'vitest'
import { aNumber, wish } from './wish.js'

export const listVersion = () => wish('GetLocalListVersion', {}, 'local-list/version', {})

const entry = (idTag: string) => ({ idTag, idTagInfo: { status: 'Accepted' } })
const anEntry = (idTag: string) => ({ idTag, idTagInfo: expect.objectContaining({ status: 'Accepted' }) })

/** The version is the operator's where it writes the CALL itself, else Busbar's. */
export const sendList = (mode: 'full' | 'differential', version: number, tokens: string[], remove: string[] = []) => {
  const updateType = mode === 'full' ? 'Full' : 'Differential'
  const removed = remove.map((idTag) => ({ idTag }))
  return wish(
    'SendLocalList',
    { listVersion: version, updateType, localAuthorizationList: [...tokens.map(entry), ...removed] },
    'local-list/send',
    { mode, tokens, ...(remove.length > 0 && { remove }) },
    {
      listVersion: aNumber,
      updateType,
      localAuthorizationList: expect.arrayContaining([...tokens.map(anEntry), ...removed]),
    },
  )
}
