import { topicNames } from '@busbar/backbone'
import { expect, test } from 'vitest'
import type { CommandNews } from '../pipeline/command-news.js'
import type { Command } from './command.js'
import { newsRecords } from './news.js'
import { fallDue, type Step, settle, start } from './states.js'
import { accepted, later, now, outcome, queued, rejected } from './testing.js'

const topics = topicNames('busbar')
const reserve = queued({ protocol: 'ocpp1.6', action: 'ReserveNow', payload: { reservationId: 7 } })

const begin = (command = reserve) => start(command, [command.payload], now).command

function newsOf(before: Command | null, { command }: Pick<Step, 'command'>) {
  const records = newsRecords(before, command, now, topics)
  return records.map(({ topic, value }) => ({ topic, ...(JSON.parse(String(value)) as CommandNews) }))
}

test('who keeps the books hears that a call is on its way, with what is sent', () => {
  expect(newsOf(reserve, { command: begin() })).toMatchObject([
    { topic: 'busbar.ocpp.reservations', stage: 'requested', action: 'ReserveNow', sent: { reservationId: 7 } },
  ])
})

test.each([
  ['accepted', accepted()],
  ['rejected', rejected({ response: { status: 'Faulted' } })],
  ['failed', outcome({ kind: 'error' })],
  ['failed', outcome({ kind: 'expired' })],
  ['failed', outcome({ kind: 'undeliverable', error: { code: 'NotConnected', description: '' } })],
  ['unknown', outcome({ kind: 'undeliverable', error: { code: 'ChannelsUnavailable', description: '' } })],
  ['unknown', outcome({ kind: 'timeout' })],
  ['unknown', outcome({ kind: 'lost' })],
  ['unknown', outcome({ kind: 'result' })],
] as const)('%s follows from what became of the call', (stage, word) => {
  const before = begin()
  expect(newsOf(before, settle(before, word, later(1)))).toMatchObject([
    { stage, response: word.response ?? {}, commandId: reserve.id, callIndex: 0, callCount: 1 },
  ])
})

test('an answer that comes after the verdict is news, once', () => {
  const timedOut = settle(begin(), outcome({ kind: 'timeout' }), later(31)).command
  const late = settle(timedOut, accepted(), later(40))
  expect(newsOf(timedOut, late)).toMatchObject([{ stage: 'accepted', response: { status: 'Accepted' } }])
  expect(newsOf(late.command, settle(late.command, accepted(), later(41)))).toEqual([])
})

test('a call of which nobody will hear any more is unknown; one that was never handed out is no news', () => {
  const before = begin()
  expect(newsOf(before, { command: fallDue(before, later(600)) })).toMatchObject([{ stage: 'unknown' }])
  expect(newsOf(reserve, { command: fallDue(reserve, later(600)) })).toEqual([])
})

test('each call of a list that was cut is told of by itself', () => {
  const list = queued({ protocol: 'ocpp1.6', action: 'SendLocalList', payload: { listVersion: 1 } })
  const cut = start(list, [{ listVersion: 1 }, { listVersion: 2 }], now).command
  expect(newsOf(cut, settle(cut, accepted(), later(1)))).toMatchObject([
    { stage: 'accepted', callIndex: 0, callCount: 2, sent: { listVersion: 1 } },
    { stage: 'requested', callIndex: 1, sent: { listVersion: 2 } },
  ])
})

test('nobody is told of a call without books', () => {
  const reset = queued()
  expect(newsOf(reset, { command: begin(reset) })).toEqual([])
})
