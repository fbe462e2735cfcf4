import swagger, { type SwaggerTransformObject } from '@fastify/swagger'
import type { RouteOptions } from 'fastify'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { access, isPublic } from './access.js'
import type { Api } from './api.js'
import { Problem, problemType } from './problems.js'

const problemDescriptions: Readonly<Record<number, string>> = {
  400: 'The request is not as described',
  401: 'No API key or access token, or one that is unknown, revoked or expired',
  403: 'The role of the caller may not do this',
  404: 'There is no such record',
  409: 'The request contradicts what is recorded',
  413: 'The body is too large',
  415: 'Content of a kind we do not read',
  422: 'The content cannot be carried out',
  429: 'Too many requests; Retry-After says in how many seconds there is room again',
  500: 'A fault of ours',
  503: 'The database or the message path cannot be reached now',
}

type ZodToJsonConfig = NonNullable<NonNullable<Parameters<typeof createJsonSchemaTransform>[0]>['zodToJsonConfig']>

const ofAll = [400, 401, 403, 429, 500, 503]

/**
 * Completes a route's OpenAPI: its roles, its key, its problems.
 * @throws Error for an endpoint that the access table does not name
 */
export function describeRoute(route: RouteOptions): void {
  if (isPublic(route.url)) return
  const roles = access[`${route.method} ${route.url}`]
  if (!roles) throw new Error(`${route.method} ${route.url} is not in the access table`)
  const withBody = ['POST', 'PUT', 'PATCH'].includes(String(route.method))
  const problems = [...ofAll, ...(withBody ? [413] : []), ...(route.config?.problems ?? [])]
  const schema = route.schema ?? {}
  const response = schema.response as object | undefined
  route.schema = {
    ...schema,
    security: [{ apiKey: [] }],
    description: [schema.description, `Roles: ${roles.join(', ')}.`].filter(Boolean).join('\n\n'),
    response: { ...response, ...Object.fromEntries(problems.map((status) => [status, problemResponse(status)])) },
    ...{ 'x-roles': roles },
  }
}

function problemResponse(status: number) {
  return { description: problemDescriptions[status], content: { [problemType]: { schema: Problem } } }
}

const zodToJsonConfig: ZodToJsonConfig = {
  // Every integer would carry the bounds of JavaScript.
  override: ({ jsonSchema, zodSchema }) => {
    // Lost where a text is read into a Date or number, although they are what a caller writes.
    const examples = z.globalRegistry.get(zodSchema)?.examples
    if (Array.isArray(examples)) jsonSchema.examples = examples
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  },
}

const withReferences = createJsonSchemaTransformObject({ zodToJsonConfig })

/** Our named schemas are answers; the library names each a second time as an input that nothing refers to. */
const withoutInputs: SwaggerTransformObject = (given) => {
  const document = withReferences(given)
  if (!('components' in document)) return document
  const schemas = Object.entries(document.components?.schemas ?? {}).filter(([name]) => !name.endsWith('Input'))
  const paths = Object.values((document.paths ?? {}) as Record<string, Record<string, Operation>>)
  for (const operation of paths.flatMap((path) => Object.values(path))) emptyBody(operation)
  return {
    ...document,
    components: { ...document.components, schemas: Object.fromEntries(schemas) },
  } as typeof document
}

interface Operation {
  responses?: Record<string, { content?: unknown }>
}

/** A schema that nothing fits is the library's way to say so. */
function emptyBody({ responses }: Operation): void {
  if (responses?.['204']) delete responses['204'].content
}

/** The document at /docs/json, the reader at /docs. */
export async function registerOpenApi(app: Api): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Busbar',
        description: 'Charging station management. Times are UTC, energy is Wh, ids are UUIDs unless OCPP gives them.',
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, or an access token of the configured OpenID Connect issuer',
          },
        },
      },
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig }),
    transformObject: withoutInputs,
  })
  // The reader is many files that no other role has a use for.
  await app.register(import('@fastify/swagger-ui'), {
    routePrefix: '/docs',
    uiConfig: { persistAuthorization: false, validatorUrl: null, docExpansion: 'none' },
    // The page styles its elements inline. No upgrade-insecure-requests: a deployment without TLS has a /docs too.
    staticCSP: {
      'default-src': ["'self'"],
      'base-uri': ["'self'"],
      'frame-ancestors': ["'none'"],
      'img-src': ["'self'", 'data:'],
      'object-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'", "'unsafe-inline'"],
    },
  })
  app.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'))
}
