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
