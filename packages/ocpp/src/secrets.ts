import { actionTable, findAction } from './actions/index.js'
import { JsonError, parseJson } from './json.js'
import { isObject, type MessageType, type Payload, type Protocol } from './protocol.js'

// The paths of the actions table lead to secrets:
//
//   connectionData.vpn.password                     a field
//   list[].value  list[variable.name=VpnKey].value  in every item, in those that match; also in one object
//   [key=AuthorizationKey].value                    only if the payload itself matches
//   response:...                                    in the response, without it in the request
//   ...@url                                         only the credentials of a URL: of the user, in the query, in ours
//   ...@integer                                     a number, which becomes one again when its text is digits
//
// Names are compared without case, because stations do not keep it; * stands for any text.

interface SecretPath {
  type: MessageType
  steps: Step[]
  part: string
  /** The field the secret itself stands in, for frames too broken to follow the path. */
  lastField: string
}

type Step = { field: string } | { matches: (value: Payload) => boolean }

/**
 * A copy with every secret replaced: `map` seals, opens or masks it. What has no secrets is returned as it is.
 * @throws whatever `map` throws
 */
export function mapSecrets(
  protocol: Protocol,
  action: string,
  type: MessageType,
  payload: Payload,
  map: (value: string) => string,
): Payload {
  return secretPathsOf(protocol, action, type).reduce(
    (mapped, { steps, part }) => mapAt(mapped, steps, 0, (value) => mapPart(value, part, map)) as Payload,
    payload,
  )
}

/** What stands in the places of secrets; of credentials in a URL also the password alone. */
export function listSecrets(protocol: Protocol, action: string, type: MessageType, payload: Payload): string[] {
  const found: string[] = []
  mapSecrets(protocol, action, type, payload, (value) => {
    const [, password] = /^[^:]*:(.+)$/.exec(value) ?? []
    found.push(value, ...(password === undefined ? [] : [password]))
    return value
  })
  return found
}

/** A copy with these texts masked wherever they stand: a station may echo what it was sent in words of its own. */
export function maskTexts<Value>(value: Value, texts: readonly string[]): Value {
  if (texts.length === 0) return value
  return mapTexts(value, (text) =>
    texts.reduce((masked, each) => (each ? masked.replaceAll(each, mask) : masked), text),
  ) as Value
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value)
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapTexts(each, map)]))
}

/** A copy with every secret masked. */
export function redact(protocol: Protocol, action: string, type: MessageType, payload: Payload): Payload {
  return mapSecrets(protocol, action, type, payload, () => mask)
}

/**
 * A frame's text with every secret masked; the very text when there is none. In a text that is not JSON, or whose action
 * nobody knows, everything is masked that stands where a secret could.
 * @param actionOfResult the action a CALLRESULT answers; without it the result is treated as unknown
 */
export function redactFrame(protocol: Protocol, frame: string, actionOfResult?: string): string {
  let elements: unknown
  try {
    elements = parseJson(frame).value
  } catch (cause) {
    if (cause instanceof JsonError) return redactText(frame, /^\s*\[\s*2\s*,\s*"[^"]*"\s*,\s*"(\w+)"/.exec(frame)?.[1])
    throw cause
  }
  if (!Array.isArray(elements)) return redactText(frame, undefined)
  const isResult = elements[0] === 3
  const action: unknown = isResult ? actionOfResult : elements[2]
  const index = isResult ? 2 : 3
  const payload: unknown = elements[index]
  if (typeof action !== 'string' || !findAction(protocol, action)) return redactText(frame, undefined)
  if (!isObject(payload)) return redactText(frame, action)
  const redacted = redact(protocol, action, isResult ? 'response' : 'request', payload)
  return redacted === payload ? frame : JSON.stringify(elements.with(index, redacted))
}

const mask = '***'

function secretPathsOf(protocol: Protocol, action: string, type: MessageType): SecretPath[] {
  const paths = findAction(protocol, action)?.secretPaths ?? []
  return paths.map(toSecretPath).filter((path) => path.type === type)
}

const parsedPaths = new Map<string, SecretPath>()

function toSecretPath(text: string): SecretPath {
  const known = parsedPaths.get(text)
  if (known) return known
  const type = text.startsWith('response:') ? 'response' : 'request'
  const [path = '', part = ''] = text.replace('response:', '').split('@')
  const steps: Step[] = []
  let lastField = ''
  for (const [, field, filter] of path.matchAll(/([^.[\]]+)|\[([^\]]*)\]/g)) {
    if (filter) steps.push({ matches: toFilter(filter) })
    if (field === undefined) continue
    steps.push({ field })
    lastField = field
  }
  const parsed: SecretPath = { type, steps, part, lastField }
  parsedPaths.set(text, parsed)
  return parsed
}

/** @param filter `path=pattern`, the path through objects, the pattern with * */
function toFilter(filter: string): (value: Payload) => boolean {
  const [path = '', pattern = ''] = filter.split('=')
  const fields = path.split('.')
  const folded = pattern.toLowerCase().split('*')
  const expression = new RegExp(`^${folded.join('.*')}$`, 's')
  return (value) => {
    const found = fields.reduce<unknown>((part, field) => (isObject(part) ? part[field] : undefined), value)
    return typeof found === 'string' && expression.test(found.trim().toLowerCase())
  }
}

/** Copies what lies on the way to the secret, and only if something changed. */
function mapAt(value: unknown, steps: readonly Step[], index: number, map: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => mapAt(item, steps, index, map))
    return items.some((item, at) => item !== value[at]) ? items : value
  }
  const step = steps[index]
  if (!step) return map(value)
  if (!isObject(value)) return value
  if ('matches' in step) return step.matches(value) ? mapAt(value, steps, index + 1, map) : value
  if (!Object.hasOwn(value, step.field)) return value
  const before = value[step.field]
  const after = mapAt(before, steps, index + 1, map)
  return after === before ? value : { ...value, [step.field]: after }
}

/** Each with the credentials as its second group: before the host, as a signature in the query, in a path of ours. */
const urlCredentials: readonly RegExp[] = [
  /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)(?=@)/i,
  /([?&](?:[^=&#?]*(?:signature|token|password|secret|credential)|sig|key)=)([^&#]+)/gi,
  /(\/files\/[a-z]+\/[0-9a-f-]{36}\/)([^/?#]+)/,
]

/** A URL, or the path of one, with its credentials masked. */
export function redactUrl(url: string): string {
  return mapUrl(url, () => mask)
}

function mapUrl(url: string, map: (value: string) => string): string {
  return urlCredentials.reduce(
    (mapped, expression) => mapped.replace(expression, (_, before: string, secret: string) => before + map(secret)),
    url,
  )
}

function mapPart(value: unknown, part: string, map: (value: string) => string): unknown {
  // Some stations report their configuration as numbers, passwords included.
  if (typeof value !== 'string' && typeof value !== 'number') return value
  const text = String(value)
  if (part === 'url') return mapUrl(text, map)
  const mapped = map(text)
  return part === 'integer' && /^\d+$/.test(mapped) ? Number(mapped) : mapped
}

/** Masks by field name alone; of an unknown action every field that is a secret in some action. */
function redactText(text: string, action: string | undefined): string {
  const fields = [...secretFields(action)].join('|')
  const withoutCredentials = text
    .replace(/(:\\?\/\\?\/)[^/?#\s"]*@/g, `$1${mask}@`)
    .replace(/(\/files\\?\/[a-z]+\\?\/[0-9a-f-]{36}\\?\/)[^/?#\s"\\]+/g, `$1${mask}`)
  if (fields === '') return withoutCredentials
  // The value may lack its closing quote, so it ends at the end of the text at the latest.
  const field = new RegExp(`("(?:${fields})"\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"?|\\d+)`, 'g')
  return withoutCredentials.replace(field, `$1"${mask}"`)
}

function* secretFields(action: string | undefined): Iterable<string> {
  for (const protocol of ['ocpp1.6', 'ocpp2.0.1'] as const) {
    const rows = action === undefined ? actionTable[protocol] : [findAction(protocol, action)]
    for (const path of rows.flatMap((row) => row?.secretPaths ?? [])) {
      const { part, lastField } = toSecretPath(path)
      if (part !== 'url') yield lastField
    }
  }
}
