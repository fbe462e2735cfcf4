import type { LogRecord } from '@busbar/backbone'
import { expect, test } from 'vitest'
import { later } from './testing.js'
import { accepted, commandsWorld } from './testing-world.js'

/** Postgres has lost its last commits: what the log brought is read again, the requests and the words each for themselves. */

const world = commandsWorld('ocpp2.0.1')
const { query } = world

const losses = {
  'its row is gone': () => query('TRUNCATE command, job, station_counter'),
  'its row is that of before': () =>
    query("UPDATE command SET status = 'queued', calls = '[]', dispatched_at = NULL, completed_at = NULL"),
}

/** Reads these again, each a batch, and what follows from them. */
async function readAgain(...records: LogRecord[]) {
  for (const record of records) await world.apply([record])
  for (;;) {
    const following = [...world.takeRequested(), ...world.takeAppended()]
    if (following.length === 0) return
    await world.apply(following)
  }
}

const cases = Object.keys(losses).flatMap((loss) =>
  (['request first', 'word first'] as const).flatMap((order) =>
    [10, 46, 3600].map((seconds) => ({ loss: loss as keyof typeof losses, order, seconds })),
  ),
)

test.each(cases)('the answer of the station is the verdict again: $loss, $order, $seconds s later', async (each) => {
  const { id, records } = await world.send()
  await world.apply(records)
  const word = world.outcome(id, accepted)
  await world.apply([word])
  await losses[each.loss]()
  if (each.seconds > 3000) world.handedOut.clear()
  world.now = later(each.seconds)

  await readAgain(...(each.order === 'request first' ? [...records, word] : [word, ...records]))

  expect(await world.command(id)).toMatchObject({ status: 'accepted', response: { status: 'Accepted' } })
  expect(world.dispatched).toHaveLength(1)
  expect(await world.jobs()).toEqual([])
})

test('words that come before their request keep their order: a late answer stays late', async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  const words = [world.outcome(id, { outcome: 'timeout' }), world.outcome(id, { ...accepted, late: true })]
  await losses['its row is gone']()

  await readAgain(...words, ...records)

  expect(await world.command(id)).toMatchObject({ status: 'timeout', late_response: { status: 'Accepted' } })
})

test('a command is not called expired while its request may still be read again', async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  await losses['its row is that of before']()
  world.now = later(46)

  await world.apply([world.due('verdict', id)])
  expect(await world.command(id)).toMatchObject({ status: 'queued' })
  const behind = world.takeRequested()
  await readAgain(...records, ...behind)
  expect(await world.command(id)).toMatchObject({ status: 'dispatched' })
  expect(await world.jobs()).toEqual([{ kind: 'verdict', key: id, due_at: later(80) }])

  await readAgain(world.outcome(id, accepted))
  expect(await world.command(id)).toMatchObject({ status: 'accepted' })
  expect(world.dispatched).toHaveLength(1)
})

test('a command that was handed out and of which nobody says any more ends unknown', async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  await losses['its row is gone']()
  world.now = later(81)

  await readAgain(...records, world.due('verdict', id))

  expect(await world.command(id)).toMatchObject({ status: 'unknown' })
})

test('a request that names no command is the same command each time the log brings it', async () => {
  const record = world.request({
    stationId: 'CP-1',
    action: 'RequestStopTransaction',
    payload: { transactionId: 'T-1' },
    idempotencyKey: 'stop-T-1',
    requestedBy: 'transactions',
  })
  await world.apply([record])
  const id = String(world.dispatched[0]?.commandId)
  await losses['its row is gone']()

  await readAgain(world.outcome(id, accepted), record)

  expect(world.dispatched).toHaveLength(1)
  expect(await world.command(id)).toMatchObject({ status: 'accepted', requested_by: 'transactions' })
})

test.each([...Object.keys(losses), 'its row knows of the first part only'])(
  'of a split command no part is sent again, %s',
  async (loss) => {
    await query(`INSERT INTO variable (station_id, component_key, variable_key, variable_instance, attribute_type, component,
      variable, value, updated_at)
    VALUES ('CP-1', 'devicedatactrlr', 'itemspermessage', 'getvariables', 'Actual', 'DeviceDataCtrlr', 'ItemsPerMessage', '1', now())`)
    const ask = (name: string) => ({ component: { name: 'C' }, variable: { name } })
    const told = (name: string) => ({
      outcome: 'result',
      payload: { getVariableResult: [{ ...ask(name), attributeStatus: 'Accepted', attributeValue: name }] },
    })
    const { id, records } = await world.send({
      action: 'GetVariables',
      payload: { getVariableData: ['a', 'b'].map(ask) },
    })
    await world.apply(records)
    const calls = JSON.stringify((await world.command(id)).calls)
    const words = [world.outcome(id, told('a')), world.outcome(id, told('b'), 1)]
    for (const word of words) await world.apply([word])
    const lose = losses[loss as keyof typeof losses] ?? losses['its row is that of before']
    await lose()
    if (!(loss in losses)) await query(`UPDATE command SET status = 'dispatched', calls = '${calls}'`)
    // Long enough for Redis to have forgotten them.
    world.handedOut.clear()
    world.now = later(3600)

    await readAgain(...words, ...records)

    expect(world.dispatched).toHaveLength(2)
    const { getVariableResult } = Object((await world.command(id)).response)
    expect(getVariableResult).toMatchObject([ask('a'), ask('b')])
  },
)

test('a report that came before its request is read again completes its command', async () => {
  const { id, records } = await world.send({ action: 'GetBaseReport', payload: { reportBase: 'FullInventory' } })
  await world.apply(records)
  await losses['its row is gone']()

  await readAgain(world.followUp(1), world.outcome(id, accepted), ...records)

  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: 'complete' })
})

test('a word on what nobody asked for goes round once, and changes nothing', async () => {
  await world.apply([world.outcome('01900000-0000-7000-8000-00000000dead', accepted)])
  const round = world.takeRequested()
  expect(round).toHaveLength(1)
  await world.apply(round)
  expect(world.takeRequested()).toEqual([])
  expect(world.decisions.at(-1)).toEqual({})
})
