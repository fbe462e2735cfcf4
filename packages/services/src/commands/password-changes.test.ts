import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { later, now, vault } from './testing.js'
import { accepted, commandsWorld } from './testing-world.js'

const world = commandsWorld()
const { query } = world

const password = '00112233445566778899aabbccddeeff00112233'
const secrets = async () => {
  const rows = await query('SELECT slot, hash FROM station_secret ORDER BY slot')
  return Object.fromEntries(rows.map(({ slot, hash }) => [slot, hash]))
}

test.each([
  ['Accepted', { current: vault.hashPassword(password) }],
  ['Rejected', { current: 'old' }],
  ['RebootRequired', { current: 'old', pending: vault.hashPassword(password) }],
])('a new password answered with %s', async (status, expected) => {
  await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'old')")
  const { id, records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'ChangeConfiguration',
    payload: { key: 'AuthorizationKey', value: password },
  })
  await world.apply(records)
  expect(await secrets()).toEqual({ current: 'old', pending: vault.hashPassword(password) })
  await world.apply([world.outcome(id, { outcome: 'result', payload: { status } })])
  expect(await secrets()).toEqual(expected)
  const sent = world.sent.map(({ value }) => String(value))
  expect(inspect([await world.command(id), sent, world.dispatched], { depth: 9 })).not.toContain(password)
})

test('a password that the station took late is current as well', async () => {
  const { id, records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'ChangeConfiguration',
    payload: { key: 'AuthorizationKey', value: password },
  })
  await world.apply(records)
  await world.apply([world.outcome(id, { outcome: 'lost' })])
  expect(await secrets()).toEqual({ pending: vault.hashPassword(password) })
  await world.apply([world.outcome(id, { ...accepted, late: true })])
  expect(await secrets()).toEqual({ current: vault.hashPassword(password) })
})

test.each([
  ['it was proposed', later(120), { current: 'new' }],
  ['another was proposed since', later(-120), { current: 'old', pending: 'new' }],
])('a login with the pending password, after %s', async (_, usedAt, expected) => {
  await query(`INSERT INTO station_secret (station_id, slot, hash, created_at)
    VALUES ('CP-1', 'current', 'old', '2020-01-01'), ('CP-1', 'pending', 'new', '${now.toISOString()}')`)
  world.now = usedAt
  await world.apply([world.passwordUsed()])
  expect(await secrets()).toEqual(expected)
})

/** A change sent with this password, and what the station made of it. */
async function changePassword(value: string, status?: string) {
  const payload = { key: 'AuthorizationKey', value }
  const { id, records } = await world.send({ protocol: 'ocpp1.6', action: 'ChangeConfiguration', payload })
  const before = world.dispatched.length
  await world.apply(records)
  const wasSent = world.dispatched.length > before
  if (wasSent && status) await world.apply([world.outcome(id, { outcome: 'result', payload: { status } })])
  return { id, wasSent, command: await world.command(id) }
}

test('while a change of the password is undecided no other is sent: the station may have taken it', async () => {
  await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'old')")
  const first = await changePassword(password)
  await world.apply([world.outcome(first.id, { outcome: 'timeout' })])
  const open = { current: 'old', pending: vault.hashPassword(password) }

  const second = await changePassword('ff'.repeat(20))

  expect(second).toMatchObject({ wasSent: false, command: { status: 'error', error: { code: 'PasswordChangeOpen' } } })
  expect(await secrets()).toEqual(open)
  // The same again settles it.
  expect(await changePassword(password.toUpperCase(), 'Accepted')).toMatchObject({ wasSent: true })
  expect(await secrets()).toEqual({ current: vault.hashPassword(password) })
  expect(await changePassword('ff'.repeat(20), 'Accepted')).toMatchObject({ wasSent: true })
})

test.each(['Rejected', 'expired'])(
  'while one is undecided, the same one again does not take it back: %s',
  async (word) => {
    await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'old')")
    const [first, second] = [await changePassword(password), await changePassword(password)]
    const taken = { current: 'old', pending: vault.hashPassword(password) }
    await world.apply([world.outcome(first.id, { outcome: 'lost' })])

    const outcome = word === 'expired' ? { outcome: word } : { outcome: 'result', payload: { status: word } }
    await world.apply([world.outcome(second.id, outcome)])
    expect(await secrets()).toEqual(taken)

    // Nor does the first, once the second may have been taken.
    await world.apply([world.outcome(first.id, { outcome: 'error', late: true })])
    expect(await secrets()).toEqual(taken)
  },
)

test('of two changes in one batch only the first is sent', async () => {
  const change = (value: string) =>
    world.send({
      protocol: 'ocpp1.6',
      action: 'ChangeConfiguration',
      payload: { key: 'AuthorizationKey', value },
    })
  const [first, second] = [await change(password), await change('ff'.repeat(20))]

  await world.apply([...first.records, ...second.records])

  expect(world.dispatched.map(({ commandId }) => commandId)).toEqual([first.id])
  expect(await world.command(second.id)).toMatchObject({ status: 'error' })
})

test.each(['Rejected', 'Accepted'])('after a change that was answered %s another one is sent', async (status) => {
  await changePassword(password, status)
  expect(await changePassword('ff'.repeat(20))).toMatchObject({ wasSent: true })
})

test('a login with the pending password opens the way for another change, in one batch as well', async () => {
  await query(`INSERT INTO station_secret (station_id, slot, hash, created_at)
               VALUES ('CP-1', 'pending', 'taken', '2020-01-01')`)
  const payload = { key: 'AuthorizationKey', value: password }
  const { records } = await world.send({ protocol: 'ocpp1.6', action: 'ChangeConfiguration', payload })

  await world.apply([world.passwordUsed(), ...records])

  expect(world.dispatched).toHaveLength(1)
  expect(await secrets()).toEqual({ current: 'taken', pending: vault.hashPassword(password) })
})

test('a login with a pending password that has become current since changes nothing', async () => {
  await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'new')")
  await world.apply([world.passwordUsed(), world.passwordUsed()])
  expect(await secrets()).toEqual({ current: 'new' })
})
