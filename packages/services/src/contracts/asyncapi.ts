import type { Topics } from '@busbar/backbone'
import { behindRequestsTypes } from '../commands/behind-requests.js'
import { eventData } from './events.js'
import {
  anything,
  constant,
  digits,
  flag,
  integer,
  type JsonSchema,
  nullable,
  object,
  oneOf,
  record,
  text,
  time,
} from './json-schema.js'

interface Message {
  name: string
  summary: string
  headers?: JsonSchema
  payload: JsonSchema
  contentType?: string
}

/** What travels on the topics, as an AsyncAPI 3.0 document: the contract of programs that read or write Kafka. */
export function describeTopics(topics: Topics): object {
  const channels = [
    channel('events', topics.events, 'Facts, as CloudEvents 1.0. At least once: drop repeated ids.', events),
    channel('commands', topics.commands, 'Wishes for a station; programs of yours may write here.', [
      commandRequest,
      ...lane.filter(({ name }) => behindRequestsTypes.includes(name)),
    ]),
    channel('commandResults', topics.commandResults, 'What became of each command.', [commandResult]),
    channel(
      'sent',
      topics.sent,
      'What was sent to stations, and what of theirs was refused. Ours to write.',
      sentFrames,
    ),
    ...(['stations', 'transactions', 'smart-charging', 'reservations', 'notifications', 'journal'] as const).map(
      (service) =>
        channel(`lane-${service}`, topics.lane(service), `What the service ${service} decides. Ours to write.`, lane),
    ),
    channel('outcomes', topics.outcomes, 'What became of each CALL of ours. Ours to write.', lane),
  ]
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Busbar',
      version: '1',
      description:
        'Records are keyed by station. Headers travel packed into one, `busbar`, a JSON object of texts; plain ones of other writers are read too.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels),
    operations: {
      followEvents: { action: 'receive', channel: { $ref: '#/channels/events' } },
      sendCommand: { action: 'send', channel: { $ref: '#/channels/commands' } },
      followResults: { action: 'receive', channel: { $ref: '#/channels/commandResults' } },
    },
  }
}

function channel(id: string, address: string, description: string, messages: readonly Message[]): [string, object] {
  return [id, { address, description, messages: Object.fromEntries(messages.map((each) => [each.name, each])) }]
}

const events: Message[] = Object.entries(eventData).map(([type, data]) => ({
  name: type,
  summary: `busbar.${type}.v1`,
  contentType: 'application/cloudevents+json',
  headers: record({ 'content-type': constant('application/cloudevents+json') }),
  payload: record({
    specversion: constant('1.0'),
    id: text,
    source: { type: 'string', pattern: '^/busbar/' },
    type: constant(`busbar.${type}.v1`),
    subject: text,
    time,
    datacontenttype: constant('application/json'),
    data,
  }),
}))

const call = record({ connectionId: text, sequence: integer })

const commandRequest: Message = {
  name: 'request',
  summary: 'A command for a station',
  headers: object,
  payload: record(
    {
      commandId: nullable(text),
      stationId: text,
      action: text,
      payload: object,
      idempotencyKey: text,
      requestedBy: text,
      reason: nullable(text),
      expiresAt: time,
      afterSequence: nullable(call),
    },
    ['commandId', 'reason', 'expiresAt', 'afterSequence'],
  ),
}

const commandResult: Message = {
  name: 'result',
  summary: 'The verdict, and once more when what the station promised has come or is overdue',
  headers: record({}),
  payload: record({
    commandId: nullable(text),
    stationId: text,
    action: text,
    idempotencyKey: text,
    status: oneOf('accepted', 'rejected', 'error', 'timeout', 'unknown', 'undeliverable', 'expired'),
    response: nullable(object),
    error: nullable(object),
    followUp: oneOf('none', 'open', 'complete', 'incomplete', 'failed'),
    at: time,
  }),
}

/** What a record of a connection carries. */
const ofConnection = {
  station: text,
  connection: text,
  epoch: digits,
  sequence: digits,
  receivedAt: time,
  protocol: oneOf('ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'),
  gateway: text,
}
const named = { action: text, messageId: text }

const frame: JsonSchema = { type: 'array', description: 'The OCPP frame' }

/** A record of our own parts; what its headers may lack stands in `optional`. */
function internal(
  type: string,
  summary: string,
  payload: JsonSchema,
  headers: Readonly<Record<string, JsonSchema>> = ofConnection,
  optional: readonly string[] = [],
): Message {
  return { name: type, summary, headers: record({ type: constant(type), ...headers }, optional), payload }
}

const ofStation = { station: text, receivedAt: time, protocol: ofConnection.protocol }

const lane: Message[] = [
  internal(
    'call',
    'A CALL of the station, byte for byte',
    frame,
    { ...ofConnection, ...named, answer: oneOf('log', 'decision'), transactionId: digits, violations: text },
    ['transactionId', 'violations'],
  ),
  internal(
    'connected',
    'The station came',
    record({
      remoteAddress: nullable(text),
      securityProfile: integer,
      secretSlot: nullable(text),
      certificateFingerprint: nullable(text),
    }),
  ),
  internal(
    'disconnected',
    'The station is gone',
    record({ code: integer, reason: text, heartbeats: integer }, ['heartbeats']),
    ofConnection,
    ['sequence', 'protocol'],
  ),
  internal('presence', 'The station is still there', record({ heartbeats: integer }, ['heartbeats']), ofConnection, [
    'sequence',
    'protocol',
  ]),
  internal('answered', 'The safe answer it got', record({ sequence: integer, answer: object }), {
    ...ofConnection,
    ...named,
  }),
  internal(
    'outcome',
    'What became of a CALL of ours',
    record(
      {
        commandId: text,
        callIndex: integer,
        outcome: oneOf('result', 'error', 'timeout', 'expired', 'unsent', 'lost', 'undeliverable'),
        action: text,
        late: flag,
        at: time,
        sentAt: time,
        payload: object,
        error: object,
        violations: { type: 'array' },
      },
      ['action', 'late', 'at', 'sentAt', 'payload', 'error', 'violations'],
    ),
    { ...ofConnection, action: text, direction: constant('in') },
    ['connection', 'epoch', 'sequence', 'protocol', 'gateway', 'action', 'direction'],
  ),
  internal(
    'command-news',
    'What became of a CALL, for those whose books follow it',
    record({
      commandId: text,
      callIndex: integer,
      callCount: integer,
      action: text,
      stage: oneOf('requested', 'accepted', 'rejected', 'failed', 'unknown'),
      sent: object,
      response: object,
      requestedBy: text,
    }),
    { ...ofStation, action: text },
  ),
  internal('follow-up', 'What a station promised has come', object, { ...ofStation, connection: text }, ['connection']),
  internal('gateway-lost', 'The gateway of the station is gone', anything, ofConnection, ['sequence', 'protocol']),
  internal('password-used', 'The station came with its new password', anything, ofConnection, [
    'sequence',
    'protocol',
    'gateway',
    'epoch',
    'connection',
  ]),
  internal('superseded', 'The station came anew', anything, ofConnection, [
    'sequence',
    'protocol',
    'gateway',
    'epoch',
    'connection',
  ]),
  internal('certificate-issued', 'The word of a certificate authority', object, { station: text }),
  internal('operator-request', 'What an operator decided about a transaction', object, {
    station: text,
    receivedAt: time,
  }),
  internal('refused-upgrades', 'A station was refused', record({ reason: text, count: integer, lastAt: time }), {
    station: text,
    receivedAt: time,
  }),
  internal('due', 'A job fell due', object, { station: text, kind: text, key: text }),
]

const sentFrames: Message[] = [
  ...['answer', 'safe-answer', 'command', 'error', 'refused', 'broken'].map((type) =>
    internal(
      type,
      'A frame, secrets masked',
      anything,
      { ...ofConnection, ...named, direction: oneOf('in', 'out'), note: text },
      ['action', 'messageId', 'direction', 'note'],
    ),
  ),
]
