import createFetchClient, { type Client as FetchClient } from 'openapi-fetch'
import type { components, paths } from './generated/api.js'

/** Every endpoint by its path: `client.GET('/v1/stations/{id}', { params: { path: { id } } })`. */
export type Client = FetchClient<paths>

/** What the API answers and takes, by the names of its document. */
export type Schemas = components['schemas']

/**
 * The API for programs in TypeScript, its types made from its OpenAPI document. A call gives `data` for a success and
 * `error`, problem details (RFC 9457), for anything else; it throws only when there is no answer.
 * @param options url: of the API, without `/v1`. key: an API key or an access token
 */
export function createClient(options: {
  url: string
  key: string
  fetch?: (request: Request) => Promise<Response>
}): Client {
  const { url, key, fetch } = options
  return createFetchClient<paths>({
    baseUrl: url,
    headers: { authorization: `Bearer ${key}` },
    ...(fetch && { fetch }),
  })
}
