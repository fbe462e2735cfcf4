import fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import type { Api } from './api.js'
import { notFound, sendProblem } from './problems.js'

export interface HealthPorts {
  metrics: Registry
  /** What this process needs to do its work, by name. */
  ready: () => Promise<Record<string, boolean>>
}

/** The port a listening server got. */
export function portOf(app: Api): number {
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('The server listens on no port')
  return address.port
}

const Readiness = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.boolean()) })

/** For orchestrators and Prometheus; no key, so nothing here tells of stations or operators. */
export function healthRoutes(app: Api, { metrics, ready }: HealthPorts): void {
  app.get(
    '/healthz',
    { schema: { tags: ['Health'], summary: 'The process lives', response: { 200: z.object({ status: z.string() }) } } },
    () => ({ status: 'ok' }),
  )
  app.get(
    '/readyz',
    {
      schema: {
        tags: ['Health'],
        summary: 'The process can do its work',
        response: { 200: Readiness, 503: Readiness.describe('Something it needs is away') },
      },
    },
    async (_, reply) => {
      const checks = await ready()
      const isReady = Object.values(checks).every(Boolean)
      return reply.code(isReady ? 200 : 503).send({ ready: isReady, checks })
    },
  )
  app.get(
    '/metrics',
    { schema: { tags: ['Health'], summary: 'Metrics in Prometheus text format' } },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  )
}

/** Health and metrics of the roles that have no API. */
export async function startHealthServer(
  config: { host: string; port: number },
  ports: HealthPorts,
): Promise<{ port: number; stop(): Promise<void> }> {
  const app = fastify({ forceCloseConnections: true }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler(() => {
    throw notFound('endpoint')
  })
  healthRoutes(app, ports)
  await app.listen({ host: config.host, port: config.port })
  return { port: portOf(app), stop: () => app.close() }
}
