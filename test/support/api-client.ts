import { type Client, createClient, type Schemas } from '@busbar/client'
import { OpenApiCheck } from './openapi-check.js'

/** An answer of the API, read. */
export interface ApiAnswer<Body> {
  status: number
  body: Body
}

/** The public API as an operator's program uses it. Every answer is held against the OpenAPI document it publishes. */
export class ApiClient {
  readonly url: string
  readonly key: string
  /** Typed by the document. */
  readonly client: Client
  readonly #fetch: (request: Request) => Promise<Response>
  #check: Promise<OpenApiCheck> | null = null

  /** @param isChecked false where the time of an answer is measured */
  constructor(url: string, key: string, isChecked = true) {
    this.url = url
    this.key = key
    this.#fetch = isChecked ? (request) => this.#checked(request) : (request) => fetch(request)
    this.client = createClient({ url, key, fetch: this.#fetch })
  }

  async request<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<ApiAnswer<Body>> {
    const request = new Request(`${this.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    const response = await this.#fetch(request)
    const text = await response.text()
    return { status: response.status, body: (text ? JSON.parse(text) : null) as Body }
  }

  /** @throws for anything but a success */
  async expect<Body = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.request<Body>(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  get<Body = Record<string, unknown>>(path: string): Promise<Body> {
    return this.expect<Body>('GET', path)
  }

  /** Registers a station with this password. */
  async registerStation(id: string, password: string, rest: object = {}): Promise<void> {
    must(await this.client.POST('/v1/stations', { body: { id, password, ...rest } }))
  }

  async registerToken(value: string, rest: object = {}): Promise<void> {
    must(await this.client.POST('/v1/tokens', { body: { value, type: 'ISO14443', ...rest } }))
  }

  /** Sends a command and waits for its verdict, 10 s at most. */
  command(stationId: string, action: string, payload: object) {
    return this.request<Schemas['CommandReceipt'] & { response: Record<string, unknown> | null }>(
      'POST',
      `/stations/${encodeURIComponent(stationId)}/commands?wait=10`,
      { action, payload },
    )
  }

  /** @throws for an answer that is not as the document describes it */
  async #checked(request: Request): Promise<Response> {
    const { method, url } = request
    const response = await fetch(request)
    const body = await response.clone().text()
    this.#check ??= this.#readDocument()
    const check = await this.#check.catch((cause: unknown) => {
      // It went away behind its answer; the next one asks again.
      this.#check = null
      throw cause
    })
    const { status, headers } = response
    const faults = check.findFaults(method, new URL(url).pathname, {
      status,
      contentType: headers.get('content-type'),
      body,
    })
    if (faults.length > 0) throw new Error(`Not as the API's document says:\n${faults.join('\n')}`)
    return response
  }

  async #readDocument(): Promise<OpenApiCheck> {
    return new OpenApiCheck((await (await fetch(`${this.url}/docs/json`)).json()) as object)
  }
}

/** @returns the body of a success. @throws for anything else */
export function must<Data>({ data, error, response }: { data?: Data; error?: unknown; response: Response }): Data {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}`)
  return data as Data
}
