import { Ajv2020, type AnySchema, type ValidateFunction } from 'ajv/dist/2020.js'

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>
}

const isDateTime = (text: string) =>
  /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text))
const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** Holds what an API answers against its OpenAPI document. */
export class OpenApiCheck {
  readonly #document: Document
  readonly #ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    validateSchema: false,
    formats: { 'date-time': isDateTime, uuid: isUuid, uri: (text: string) => URL.canParse(text) },
  })
  readonly #validators = new Map<string, ValidateFunction>()
  readonly #templates: { template: string; pattern: RegExp }[]

  constructor(document: object) {
    this.#document = document as Document
    this.#ajv.addSchema(document as AnySchema, 'openapi')
    // The most exact one first: /dead-letters/replay before /dead-letters/{id}.
    this.#templates = Object.keys(this.#document.paths)
      .toSorted((a, b) => a.split('{').length - b.split('{').length)
      .map((template) => {
        const escaped = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
        return { template, pattern: RegExp(`^${escaped.replace(/\{\w+\}/g, '[^/]+')}$`) }
      })
  }

  /** @returns what the document does not say so; empty for an answer that is as described */
  findFaults(
    method: string,
    path: string,
    answer: { status: number; contentType: string | null; body: string },
  ): string[] {
    const operation = this.#find(method.toLowerCase(), path)
    // Nothing is said of what is not there.
    if (!operation) return answer.status === 404 || answer.status === 401 ? [] : [`${method} ${path} is not described`]
    const { template, responses } = operation
    const response = responses[answer.status]
    if (!response) return [`${method} ${template}: ${answer.status} is not described`]
    const type = answer.contentType?.split(';')[0] ?? ''
    if (!response.content) return answer.body === '' ? [] : [`${method} ${template}: ${answer.status} has no content`]
    if (!(type in response.content)) return [`${method} ${template}: ${answer.status} is not described as ${type}`]
    if (!type.endsWith('json')) return []
    const place = [
      'paths',
      template,
      method.toLowerCase(),
      'responses',
      String(answer.status),
      'content',
      type,
      'schema',
    ]
    const validate = this.#validator(place)
    if (validate(JSON.parse(answer.body))) return []
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${method} ${template}: ${answer.status}${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }

  #find(method: string, path: string) {
    for (const { template, pattern } of this.#templates) {
      const operation = pattern.test(path) ? this.#document.paths[template]?.[method] : undefined
      if (operation) return { template, ...operation }
    }
    return null
  }

  #validator(place: readonly string[]): ValidateFunction {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const known = this.#validators.get(pointer)
    if (known) return known
    const validate = this.#ajv.compile({ $ref: `openapi#/${pointer}` })
    this.#validators.set(pointer, validate)
    return validate
  }
}
