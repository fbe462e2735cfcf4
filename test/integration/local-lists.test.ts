import { expect, test } from 'vitest'
import { StrictStation } from '../conformance/strict-station.js'
import { startEmbedded } from '../support/system.js'

const password = 'a password of the lab'
const accepted = { status: 'Accepted' }

interface Sent {
  updateType: string
  listVersion: number
  localAuthorizationList: { idTag: string }[]
}

const shown = ({ payload }: { payload: unknown }) => {
  const { updateType, listVersion, localAuthorizationList } = payload as Sent
  return { updateType, listVersion, tags: localAuthorizationList.map(({ idTag }) => idTag) }
}

test('a station in step gets new tokens, and one full list when it refuses a differential', async () => {
  const system = await startEmbedded()
  try {
    await system.api.registerToken('CARD-1')
    await system.api.registerStation('IN-STEP', password)
    const [url = ''] = system.urls
    const station = await StrictStation.connect({ url, id: 'IN-STEP', protocol: 'ocpp1.6', password })
    await station.sends('BootNotification', { chargePointVendor: 'Lab', chargePointModel: 'Strict' })
    const switches = { localListSync: true, localListFallback: true }
    await system.api.expect('PATCH', '/stations/IN-STEP', { switches })

    const whole = await station.isCalled('SendLocalList', 30_000)
    expect(shown(whole)).toEqual({ updateType: 'Full', listVersion: 1, tags: ['CARD-1'] })
    station.answers(whole, accepted)
    const list = () => system.api.get('/stations/IN-STEP/local-list')
    await expect.poll(list, { timeout: 10_000 }).toMatchObject({ version: 1, known: true, inStep: true })

    await system.api.registerToken('CARD-2')
    const changes = await station.isCalled('SendLocalList', 30_000)
    expect(shown(changes)).toEqual({ updateType: 'Differential', listVersion: 2, tags: ['CARD-2'] })
    station.answers(changes, { status: 'VersionMismatch' })
    station.answers(await station.isCalled('GetLocalListVersion'), { listVersion: 40 })
    const again = await station.isCalled('SendLocalList')
    expect(shown(again)).toEqual({ updateType: 'Full', listVersion: 41, tags: ['CARD-1', 'CARD-2'] })
    station.answers(again, accepted)
    await expect.poll(list, { timeout: 10_000 }).toMatchObject({ version: 41, state: 'accepted', known: true })
    await station.leaves()
  } finally {
    await system.stop()
  }
}, 120_000)
