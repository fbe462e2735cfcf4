import { randomBytes, randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { cold, type Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

const oneOf = (...codes: string[]) => expect.stringMatching(new RegExp(`^(${codes.join('|')})$`))

/** RPC and connection level (derived). */
export const rpc = {
  'RPC16-01': cold(async (lab: Lab) => {
    expect(await lab.isRefused({ ...lab.bench.station, id: `UNKNOWN-${randomUUID().slice(0, 8)}` })).toBe(404)
  }),

  'RPC16-02': cold(async (lab: Lab) => {
    const { password: _, ...nameless } = lab.bench.station
    expect(await lab.isRefused({ ...lab.bench.station, password: 'beef0000beef0000beef0000beef0000beef0000' })).toBe(
      401,
    )
    expect(await lab.isRefused({ ...lab.bench.station, username: 'somebody-else' })).toBe(401)
    expect(await lab.isRefused(nameless)).toBe(401)
    await lab.connects()
    await lab.boots()
  }),

  'RPC16-03': async (lab: Lab) => {
    // No UTF-8: a header read as text would be another password.
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 0x80, 0xc3, 0x28, 0x3a]), randomBytes(14)])
    await lab.asks(wishes.changePassword(bytes.toString('hex')), { status: 'Accepted' })
    for (const password of [bytes, bytes.toString('hex')]) {
      await lab.reconnects({ ...lab.bench.station, password })
      await lab.boots()
    }
    lab.bench.station.password = bytes
  },

  'RPC16-04': cold(async (lab: Lab) => {
    const { password: _, ...nameless } = lab.bench.station
    expect(await lab.isRefused(nameless)).toBe(401)
    const id = `OPEN-${randomUUID().slice(0, 8)}`
    await lab.system.api.expect('POST', '/stations', { id, securityProfile: 0 })
    await lab.connects({ ...nameless, id })
    await lab.boots()
    await lab.shows('', { registration: 'Accepted', connection: { online: true } })
  }),

  'RPC16-05': cold(async (lab: Lab) => {
    const id = `RDAM ${randomUUID().slice(0, 8)}`
    await lab.connects(await lab.bench.registers({ id }))
    await lab.boots()
    await lab.shows('', { id, registration: 'Accepted' })
  }),

  'RPC16-06': async (lab: Lab) => {
    expect(await lab.station.sendsInVain('FooBar', {})).toBe('NotImplemented')
  },

  'RPC16-07': async (lab: Lab) => {
    expect(await lab.station.sendsInVain('Reset', { type: 'Hard' })).toEqual(oneOf('NotSupported', 'NotImplemented'))
  },

  'RPC16-08': async (lab: Lab) => {
    const boot = { chargePointVendor: 'Lab', chargePointModel: 'Strict' }
    expect(await lab.station.sendsInVain('BootNotification', { ...boot, colour: 'blue' })).toBe('FormationViolation')
    expect(await lab.station.sendsInVain('BootNotification', [])).toBe('FormationViolation')
  },

  'RPC16-09': async (lab: Lab) => {
    const before = await lab.countsTransactions()
    const start = { connectorId: 1, idTag: lab.bench.tokens.valid, timestamp: new Date().toISOString() }
    expect(await lab.station.sendsInVain('StartTransaction', start)).toEqual(
      oneOf('OccurenceConstraintViolation', 'ProtocolError'),
    )
    await lab.beats()
    expect(await lab.countsTransactions()).toBe(before)
  },

  'RPC16-10': async (lab: Lab) => {
    const status = { connectorId: '1', status: 'Available', errorCode: 'NoError' }
    expect(await lab.station.sendsInVain('StatusNotification', status)).toBe('TypeConstraintViolation')
  },

  'RPC16-11': async (lab: Lab) => {
    const status = { connectorId: 1, status: 'Foo', errorCode: 'NoError' }
    expect(await lab.station.sendsInVain('StatusNotification', status)).toBe('PropertyConstraintViolation')
    expect(await lab.station.sendsInVain('Authorize', { idTag: 'x'.repeat(21) })).toBe('PropertyConstraintViolation')
  },

  'RPC16-12': async (lab: Lab) => {
    for (const text of ['{', '', '{}', '"x"', 'null', '[', '[]', '[2]', '[2,', '\u0000']) lab.station.sendsText(text)
    await lab.beats()
  },

  'RPC16-13': async (lab: Lab) => {
    for (const type of [9, 0, -1, 5]) lab.station.sendsText(JSON.stringify([type, randomUUID(), {}]))
    await lab.beats()
  },

  'RPC16-14': async (lab: Lab) => {
    lab.station.sendsText('[3,"nope",{}]')
    lab.station.sendsText('[4,"nope","GenericError","",{}]')
    await lab.beats()
    await lab.asks(wishes.clearCache(), { status: 'Accepted' })
  },

  'RPC16-15': async (lab: Lab) => {
    for (const code of ['NotImplemented', 'NotSupported', 'InternalError', 'GenericError', 'SecurityError']) {
      const sent = lab.sends(wishes.clearCache())
      await lab.station.refuses('ClearCache', code)
      expect((await sent).body).toMatchObject({ status: 'error', error: { code } })
    }
    await lab.asks(wishes.clearCache(), { status: 'Accepted' })
  },

  'RPC16-16': async (lab: Lab) => {
    const silent = await lab.sends(wishes.clearCache(), { wait: 0 })
    const unanswered = await lab.station.isCalled('ClearCache')
    await lab.sends(wishes.reset('Soft'), { wait: 0, expiresInSeconds: 120 })
    const next = await lab.station.isCalled('Reset', 45_000)
    await lab.showsCommand(silent.body.id, { status: 'timeout' })
    lab.station.answers(unanswered, { status: 'Accepted' })
    lab.station.answers(next, { status: 'Rejected' })
    await lab.beats()
    await lab.showsCommand(silent.body.id, { status: 'timeout' })
    await lab.asks(wishes.clearCache(), { status: 'Accepted' })
  },

  'RPC16-17': async (lab: Lab) => {
    const wished = [wishes.clearCache(), wishes.unlock(1), wishes.reset('Soft')]
    const sent = []
    for (const wish of wished) {
      const before = await lab.countsCommands()
      sent.push(lab.sends(wish))
      // In the order asked for: the next one is asked for when the last one is recorded.
      await expect.poll(() => lab.countsCommands(), { timeout: 5_000 }).toBe(before + 1)
    }
    const answers = [{ status: 'Accepted' }, { status: 'Unlocked' }, { status: 'Rejected' }]
    for (const [index, wish] of wished.entries()) {
      const call = await lab.station.isCalled(wish.action)
      // While it is out, nothing else comes, and the station's own calls are answered.
      await lab.beats()
      await lab.authorizes(lab.bench.tokens.valid, 'Accepted')
      expect(lab.station.problems).toEqual([])
      lab.station.answers(call, answers[index] as object)
    }
    const verdicts = (await Promise.all(sent)).map(({ body }) => body.status)
    expect(verdicts).toEqual(['accepted', 'accepted', 'rejected'])
  },

  'RPC16-18': async (lab: Lab) => {
    const ids = new Set<string>()
    for (const _ of [1, 2]) {
      await lab.asks(wishes.clearCache(), { status: 'Accepted' })
      await lab.asks(wishes.clearCache(), { status: 'Accepted' })
      for (const id of lab.station.messageIds) {
        expect(id.length).toBeLessThanOrEqual(36)
        expect(ids.has(id)).toBe(false)
        ids.add(id)
      }
      await lab.reconnects()
    }
    expect(ids.size).toBe(4)
  },

  'RPC16-19': cold(async (lab: Lab) => {
    const fresh = await lab.bench.registers()
    const status = { connectorId: 1, status: 'Available', errorCode: 'NoError' }
    await lab.connects(fresh)
    expect(await lab.station.sendsInVain('StatusNotification', status)).toBe('SecurityError')
    expect(await lab.station.sendsInVain('Heartbeat', {})).toBe('SecurityError')
    await lab.boots()
    await lab.reconnects(fresh)
    await lab.reports('Available')
    await lab.beats()
  }),

  'RPC16-20': async (lab: Lab) => {
    const start = {
      ...{ connectorId: 1, idTag: lab.bench.tokens.valid, meterStart: 0, timestamp: new Date().toISOString() },
    }
    const before = await lab.countsTransactions()
    const messageId = randomUUID()
    const first = await lab.station.sends('StartTransaction', start, messageId)
    expect(await lab.station.sends('StartTransaction', start, messageId)).toEqual(first)
    expect(await lab.countsTransactions()).toBe(before + 1)
  },

  'RPC16-21': async (lab: Lab) => {
    const old = lab.station
    await lab.connects()
    await old.closed
    await lab.beats()
    await lab.shows('', { connection: { online: true } })
    await lab.asks(wishes.clearCache(), { status: 'Accepted' })
    await lab.shows('', { connection: { online: true } })
  },

  'RPC16-22': async (lab: Lab) => {
    lab.station.freezes()
    await lab.shows('', { connection: { online: false } }, 20_000)
    await lab.connects()
    await lab.boots()
    await lab.shows('', { connection: { online: true } })
  },
}
