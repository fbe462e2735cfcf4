import { Ajv, type ValidateFunction } from 'ajv'

// The package exports no such path, but the files are there: only they hold the schemas.
const folder = new URL('../../node_modules/typed-ocpp/dist/', import.meta.url)
const schemas: Record<string, Record<string, object>> = {
  'ocpp1.6': await import(`${folder}ocpp16/schemas.js`),
  'ocpp2.0.1': await import(`${folder}ocpp20/schemas.js`),
}

/**
 * Judges Busbar's frames by the published schemas with another compilation than Busbar's own, and with a strict time
 * format: what leaves Busbar is strict.
 */
const ajv = new Ajv({ strict: false, allErrors: true, multipleOfPrecision: 6 })
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/)
ajv.addFormat('uri', (text) => URL.canParse(text))

const compiled = new Map<string, ValidateFunction>()

/** @throws naming what is wrong with the payload */
export function mustFitSchema(protocol: string, action: string, type: 'Request' | 'Response', payload: unknown): void {
  const key = `${protocol} ${action}${type}`
  const schema = schemas[protocol]?.[`${action}${type}`]
  if (!schema) throw new Error(`${key}: no such message`)
  const validate = compiled.get(key) ?? ajv.compile(schema)
  compiled.set(key, validate)
  if (!validate(payload)) throw new Error(`${key}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(payload)}`)
}

export type BusbarFrame =
  | { kind: 'call'; messageId: string; action: string; payload: object }
  | { kind: 'result'; messageId: string; payload: object }
  | { kind: 'error'; messageId: string; code: string }

const messageId = { type: 'string', minLength: 1, maxLength: 36 }
const tuple = (...items: object[]) => ({ type: 'array', items, minItems: items.length, maxItems: items.length })
const errorCodes: Record<string, string[]> = {
  'ocpp1.6': ['FormationViolation', 'OccurenceConstraintViolation'],
  'ocpp2.0.1': ['FormatViolation', 'OccurrenceConstraintViolation', 'MessageTypeNotSupported', 'RpcFrameworkError'],
}
const envelopes = Object.fromEntries(
  Object.entries(errorCodes).map(([protocol, own]) => {
    const code = {
      enum: [
        ...['NotImplemented', 'NotSupported', 'InternalError', 'ProtocolError', 'SecurityError', 'GenericError'],
        ...['PropertyConstraintViolation', 'TypeConstraintViolation'],
        ...own,
      ],
    }
    return [
      protocol,
      {
        2: ajv.compile(tuple({ const: 2 }, messageId, { type: 'string', maxLength: 36 }, { type: 'object' })),
        3: ajv.compile(tuple({ const: 3 }, messageId, { type: 'object' })),
        4: ajv.compile(tuple({ const: 4 }, messageId, code, { type: 'string', maxLength: 255 }, { type: 'object' })),
      } as Record<number, ValidateFunction>,
    ]
  }),
)

/** @throws naming what is wrong with the frame around the payload (OCPP-J 1.6 §4.2, OCPP 2.0.1 part 4 §4.2) */
export function readFrame(protocol: string, text: string): BusbarFrame {
  const frame: unknown[] = JSON.parse(text)
  const validate = envelopes[protocol]?.[frame[0] as number]
  if (!validate) throw new Error(`no message type of ${protocol}: ${text}`)
  if (!validate(frame)) throw new Error(`${ajv.errorsText(validate.errors)} in the frame ${text}`)
  const [type, messageId, third, payload] = frame as [2 | 3 | 4, string, never, object]
  if (type === 2) return { kind: 'call', messageId, action: third, payload }
  return type === 3 ? { kind: 'result', messageId, payload: third } : { kind: 'error', messageId, code: third }
}
