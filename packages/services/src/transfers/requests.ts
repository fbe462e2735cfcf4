import { type Payload, redact } from '@busbar/ocpp'
import type { CommandNews } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import { isObject } from '../pipeline/objects.js'
import { mergeDecisions } from '../pipeline/parts.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { toEffects } from './effects.js'
import { blank, handBack } from './notify.js'
import type { TransfersState } from './state.js'
import { type Answer, change, type Transfer, type TransferKind } from './transfer.js'

/** What one action of ours means here. */
interface RequestKind {
  kind: TransferKind
  /** Where the address of the file stands in the payload. */
  locationOf(sent: Payload): unknown
  /** As the station will name the file. */
  fileNameOf?(response: Payload): unknown
  /** Whether an agreeing answer puts an end to what the station was at. */
  cancelsEarlier(response: Payload): boolean
  /** Whether a file will come at all. */
  hasNothingToSend?(response: Payload): boolean
}

const always = () => true
const whereSaid = ({ status }: Payload) => status === 'AcceptedCanceled'

const requestKinds = {
  UpdateFirmware: { kind: 'firmware', locationOf: ({ location }) => location, cancelsEarlier: always },
  SignedUpdateFirmware: {
    kind: 'signed-firmware',
    locationOf: ({ firmware }) => (isObject(firmware) ? firmware.location : null),
    cancelsEarlier: whereSaid,
  },
  GetDiagnostics: {
    kind: 'diagnostics',
    locationOf: ({ location }) => location,
    fileNameOf: ({ fileName }) => fileName,
    cancelsEarlier: ({ fileName }) => Boolean(fileName),
    // OCPP 1.6 §5.9: no name, no file.
    hasNothingToSend: ({ fileName }) => !fileName,
  },
  GetLog: {
    kind: 'log',
    locationOf: ({ log }) => (isObject(log) ? log.remoteLocation : null),
    fileNameOf: ({ filename }) => filename,
    cancelsEarlier: whereSaid,
  },
} satisfies Readonly<Record<string, RequestKind>>

const textOrNull = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null)

/** Keeps a row for the CALL, whoever sent it, and what the station said to it. */
function takeNews(request: RequestKind, news: CommandNews, state: TransfersState, context: DecisionContext): Decision {
  const { station, record } = context
  const before = state.ofCommand(station.id, news.commandId) ?? null
  const known = before ?? toTransfer(request, news, context)
  const fileName = textOrNull(request.fileNameOf?.(news.response)) ?? known.fileName
  const after = change(known, { answer: toAnswer(request, news, known.answer), fileName }, record.receivedAt)
  state.put(after)
  const told = toEffects(before, after, context)
  if (news.stage === 'accepted' && request.cancelsEarlier(news.response)) {
    return mergeDecisions([supersede(after, state, context), told])
  }
  const isTurnedDown = after.answer === 'rejected' || after.answer === 'not-started'
  return isTurnedDown ? mergeDecisions([told, handBack(after, state, context)]) : told
}

function toTransfer({ kind, locationOf }: RequestKind, news: CommandNews, context: DecisionContext): Transfer {
  const { action, sent, commandId } = news
  const { requestId } = sent
  const isNumber = typeof requestId === 'number' && isStorableNumber(requestId)
  return {
    ...blank(kind, isNumber ? requestId : null, context),
    commandId,
    location: textOrNull(locationOf(redact(context.station.protocol, action, 'request', sent))),
  }
}

/** Later word counts, but what the station itself said is not unsaid. */
function toAnswer({ hasNothingToSend }: RequestKind, { stage, response }: CommandNews, known: Answer | null): Answer {
  switch (stage) {
    case 'accepted':
      return hasNothingToSend?.(response) ? 'nothing-to-send' : 'accepted'
    case 'rejected':
      return 'rejected'
    case 'failed':
      return 'not-started'
    case 'unknown':
      return known === null || known === 'requested' ? 'unknown' : known
    case 'requested':
      return known ?? 'requested'
  }
}

function supersede(by: Transfer, state: TransfersState, context: DecisionContext): Decision {
  return mergeDecisions(
    state.openBefore(by).map((earlier) => {
      const after = change(earlier, { superseded: true }, context.record.receivedAt)
      state.put(after)
      return toEffects(earlier, after, context)
    }),
  )
}

/** What became of the CALLs that ask for a transfer, by action. */
export const transferNews = Object.fromEntries(
  Object.entries(requestKinds).map(([action, request]) => [
    action,
    (news: CommandNews, state: TransfersState, context: DecisionContext) => takeNews(request, news, state, context),
  ]),
)
