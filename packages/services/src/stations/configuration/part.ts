import { type Payload, redact } from '@busbar/ocpp'
import type { CommandNews } from '../../pipeline/command-news.js'
import { toObjects } from '../../pipeline/objects.js'
import type { Part } from '../../pipeline/parts.js'
import type { Decision, DecisionContext } from '../../pipeline/service.js'
import { ConfigurationBook } from './book.js'
import { loadConfiguration, saveConfiguration } from './storage.js'

/**
 * The configuration keys of 1.6, as a station's answers tell them. A change that takes effect with the next boot is
 * pending until the station boots, or reads it out.
 * @see OCPP 1.6 §5.3, §5.8, §9
 */
export const configurationPart: Part<ConfigurationBook> = {
  actions: {
    'ocpp1.6': { BootNotification: booted },
    'ocpp2.0.1': {},
  },
  news: { GetConfiguration: takeRead, ChangeConfiguration: takeChange },
  load: async (session, records) => new ConfigurationBook(await loadConfiguration(session, records)),
  save: (book) => saveConfiguration(book),
}

/** A station that refused a part of what it was asked has still answered the rest. */
const isAnswer = ({ stage }: CommandNews) => stage === 'accepted' || stage === 'rejected'

function takeRead(news: CommandNews, book: ConfigurationBook, { station, record }: DecisionContext): Decision {
  if (!isAnswer(news)) return {}
  const response = redact('ocpp1.6', news.action, 'response', news.response)
  for (const { key, value, readonly } of toObjects(response.configurationKey)) {
    book.read(station.id, String(key), { value: toText(value), isReadonly: readonly === true, at: record.receivedAt })
  }
  for (const key of toTexts(response.unknownKey)) book.unknown(station.id, key, record.receivedAt)
  return {}
}

function takeChange(news: CommandNews, book: ConfigurationBook, { station, record }: DecisionContext): Decision {
  if (!isAnswer(news)) return {}
  const { key: name, value } = redact('ocpp1.6', news.action, 'request', news.sent)
  const key = String(name)
  const at = record.receivedAt
  switch (news.response.status) {
    case 'Accepted':
      book.changed(station.id, key, toText(value), at)
      break
    case 'RebootRequired':
      book.pending(station.id, key, toText(value), at)
      break
    case 'NotSupported':
      book.unknown(station.id, key, at)
      break
  }
  return {}
}

function booted(_request: Payload, book: ConfigurationBook, { station, record }: DecisionContext): Decision {
  book.booted(station.id, record.receivedAt)
  return {}
}

/** Some stations give numbers and truth values as such. */
function toText(value: unknown): string | null {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' ? value : null
}

const toTexts = (value: unknown) =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []
