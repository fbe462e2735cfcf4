import type { CommandNews } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import { mayReact } from '../pipeline/reactions.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { entriesOf, readChanges } from './authorization-data.js'
import type { ListState, LocalListsState } from './state.js'

/**
 * Keeps a station's list as it agreed to it. A list that was cut is several CALLs, each with a version of its own: a Full,
 * then Differentials; each is true as soon as it is accepted.
 * @see OCPP 1.6 §5.15
 */
export function sendLocalList(news: CommandNews, state: LocalListsState, context: DecisionContext): Decision {
  const { id } = context.station
  const { known, state: before } = state.list(id)
  switch (news.stage) {
    case 'requested': {
      // What became of the one before, nobody will say any more.
      const isKnown = known && before !== 'unknown'
      const full = isFull(news) ? { fullId: news.commandId } : {}
      return { events: state.change(id, { state: 'requested', known: isKnown, ...full }, context) }
    }
    case 'accepted':
      return accept(news, state, context)
    case 'rejected':
      return refuse(news, state, context)
    default:
      return { events: state.change(id, { state: news.stage }, context) }
  }
}

const isFull = ({ sent }: CommandNews) => sent.updateType === 'Full'

function accept(news: CommandNews, state: LocalListsState, context: DecisionContext): Decision {
  const { station, record } = context
  const list = state.list(station.id)
  const version = Number(news.sent.listVersion)
  // Sent as it was written: what Busbar makes has a version that the books can hold.
  if (!isStorableNumber(version))
    return { events: state.change(station.id, { state: 'accepted', known: false }, context) }
  const items = readChanges(station.id, news.sent, record.receivedAt)
  if (isFull(news)) {
    state.replaceEntries(station.id, entriesOf(items))
    return { events: state.change(station.id, { version, state: 'accepted', known: true }, context) }
  }
  // Told twice, or late: later changes stand on it already.
  if (list.version !== null && version <= list.version)
    return { events: state.change(station.id, { state: 'accepted' }, context) }
  state.changeEntries(station.id, items)
  return { events: state.change(station.id, { version, state: 'accepted' }, context) }
}

const refusals: Readonly<Record<string, ListState>> = {
  NotSupported: 'not-supported',
  VersionMismatch: 'version-mismatch',
}

/**
 * A differential that the station would not take leads to one question for its version and one full list, where the
 * operator wants that: never after a full list, nor for the parts that follow it.
 */
function refuse(news: CommandNews, state: LocalListsState, context: DecisionContext): Decision {
  const { id } = context.station
  const list = state.list(id)
  const refusal = refusals[String(news.response.status)] ?? 'failed'
  const fallsBack =
    refusal !== 'not-supported' &&
    news.commandId !== list.fullId &&
    news.commandId !== list.refusedId &&
    mayReact('list-fallback', state.station(id)?.switches ?? {})
  if (isFull(news) || !fallsBack) return { events: state.change(id, { state: refusal }, context) }
  const asked = { refusedId: news.commandId, fallback: 'asked' as const }
  return {
    events: state.change(id, { state: refusal, ...asked }, context),
    commands: [
      {
        reaction: 'list-fallback',
        action: 'GetLocalListVersion',
        payload: {},
        reason: `the station answered a differential list with ${String(news.response.status)}`,
        afterSequence: null,
      },
    ],
  }
}
