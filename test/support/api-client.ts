/** An answer of the API, read. */
export interface ApiAnswer<Body> {
  status: number
  body: Body
}

/** The public API as an operator's program uses it. */
export class ApiClient {
  readonly url: string
  readonly key: string

  constructor(url: string, key: string) {
    this.url = url
    this.key = key
  }

  async request<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<ApiAnswer<Body>> {
    const response = await fetch(`${this.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
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
    await this.expect('POST', '/stations', { id, password, ...rest })
  }

  async registerToken(value: string, rest: object = {}): Promise<void> {
    await this.expect('POST', '/tokens', { value, type: 'ISO14443', ...rest })
  }

  /** Sends a command and waits for its verdict, 10 s at most. */
  command(stationId: string, action: string, payload: object) {
    return this.request<{ id: string; status: string; response: Record<string, unknown> | null; error: unknown }>(
      'POST',
      `/stations/${encodeURIComponent(stationId)}/commands?wait=10`,
      { action, payload },
    )
  }
}
