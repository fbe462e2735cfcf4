import { STATUS_CODES } from 'node:http'
import { hostname } from 'node:os'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Api, RouteContext } from './api.js'
import { authenticateAll } from './authenticate.js'
import { BulkLock } from './bulk/lock.js'
import { startBulkRunner } from './bulk/runner.js'
import { SwitchLimit } from './bulk/switch-limit.js'
import { CommandBooks } from './command-books.js'
import { EventStream } from './events/stream.js'
import { FileAddresses } from './files/addresses.js'
import { downloadRoutes } from './files/downloads.js'
import { uploadRoutes } from './files/uploads.js'
import { healthRoutes, portOf } from './health.js'
import { importRoutes } from './imports/routes.js'
import { KeyRing } from './key-ring.js'
import { OidcTokens } from './oidc.js'
import { describeRoute, registerOpenApi } from './openapi.js'
import { operations } from './operations/index.js'
import { paceCallers } from './pace.js'
import type { ApiConfig, ApiPorts } from './ports.js'
import { notFound, ProblemError, problemType, sendProblem } from './problems.js'
import { measureRequests } from './request-metrics.js'
import { alertRoutes } from './routes/alerts.js'
import { apiKeyRoutes } from './routes/api-keys.js'
import { auditRoutes } from './routes/audit.js'
import { bulkCommandRoutes } from './routes/bulk-commands.js'
import { bulkKillSwitchRoutes } from './routes/bulk-kill-switch.js'
import { certificateAuthorityRoutes } from './routes/certificate-authorities.js'
import { commandRoutes } from './routes/commands.js'
import { configurationRoutes } from './routes/configuration.js'
import { deadLetterRoutes } from './routes/dead-letters.js'
import { eventRoutes } from './routes/events.js'
import { firmwareRoutes } from './routes/firmware.js'
import { journalRoutes } from './routes/journal.js'
import { localListRoutes } from './routes/local-list.js'
import { presetRoutes, renewPresets } from './routes/presets.js'
import { refusedAttemptRoutes } from './routes/refused-attempts.js'
import { reservationRoutes } from './routes/reservations.js'
import { revokedCertificateRoutes } from './routes/revoked-certificates.js'
import { siteRoutes } from './routes/sites.js'
import { smartChargingRoutes } from './routes/smart-charging.js'
import { stationAccessRoutes } from './routes/station-access.js'
import { stationGroupRoutes } from './routes/station-groups.js'
import { stationSecurityRoutes } from './routes/station-security.js'
import { stationRoutes } from './routes/stations.js'
import { tokenGroupRoutes } from './routes/token-groups.js'
import { tokenRoutes } from './routes/tokens.js'
import { transactionExportRoutes } from './routes/transaction-export.js'
import { transactionRequestRoutes } from './routes/transaction-requests.js'
import { transactionRoutes } from './routes/transactions.js'
import { transferRoutes } from './routes/transfers.js'
import { trustAnchorRoutes } from './routes/trust-anchors.js'
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.js'
import { webhookRoutes } from './routes/webhooks.js'
import { Verdicts } from './verdicts.js'

/**
 * The API without its listener: plugins, authentication, routes.
 * @throws UnavailableError when the event log cannot be followed
 */
export async function buildApi(config: ApiConfig, ports: ApiPorts): Promise<Api> {
  const app = createApp(config, ports)
  const authorities = {
    keys: new KeyRing(ports.database, config.keyCacheMs),
    tokens: config.oidc && new OidcTokens(config.oidc),
  }
  const closing = new AbortController()
  const events = await EventStream.follow(ports, config)
  const verdicts = await Verdicts.follow(ports.backbone.channels)
  const sender = ports.backbone.outbox.startApiSender()
  // Before the server waits for its connections: streams and waits would hold it.
  app.addHook('preClose', async () => {
    closing.abort()
    await Promise.all([events.stop(), verdicts.stop()])
  })
  app.addHook('onClose', () => sender.stop())

  app.addHook('onRoute', (route) => describeRoute(route))
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  })
  await app.register(rateLimit, { global: false })
  measureRequests(app, ports.metrics)
  limitArrival(app, config)
  authenticateAll(app, config, ports, authorities)
  paceCallers(app, config.requestsPerMinutePerKey)
  await registerOpenApi(app)
  app.get('/docs/asyncapi.json', { schema: { hide: true } }, () => ports.asyncApi)

  healthRoutes(app, { metrics: ports.metrics, ready: ports.ready ?? (() => checkDatabase(ports)) })
  const addresses = new FileAddresses(ports.vault, () => config.filesUrl ?? ownUrl(app, config.host))
  const context = {
    ...ports,
    config,
    authorities,
    events,
    addresses,
    bulkLock: new BulkLock(ports.database),
    switchLimit: new SwitchLimit(ports.database, ports.metrics),
    commandBooks: new CommandBooks(ports),
    verdicts,
    pokeOutbox: () => sender.poke(),
    closing: closing.signal,
  }
  for (const routes of allRoutes) routes(app, context)
  await renewPresets(ports)
  const bulkRunner = startBulkRunner(context)
  app.addHook('onClose', () => bulkRunner.stop())
  await app.ready()
  return app
}

/** Everything under /v1, and files. */
export const allRoutes: readonly ((app: Api, context: RouteContext) => void)[] = [
  siteRoutes,
  stationRoutes,
  stationGroupRoutes,
  importRoutes,
  stationAccessRoutes,
  stationSecurityRoutes,
  presetRoutes,
  commandRoutes,
  configurationRoutes,
  ...operations,
  tokenRoutes,
  tokenGroupRoutes,
  transactionRoutes,
  transactionExportRoutes,
  transactionRequestRoutes,
  reservationRoutes,
  localListRoutes,
  certificateAuthorityRoutes,
  smartChargingRoutes,
  trustAnchorRoutes,
  revokedCertificateRoutes,
  refusedAttemptRoutes,
  journalRoutes,
  transferRoutes,
  firmwareRoutes,
  downloadRoutes,
  uploadRoutes,
  deadLetterRoutes,
  eventRoutes,
  bulkCommandRoutes,
  bulkKillSwitchRoutes,
  alertRoutes,
  webhookRoutes,
  webhookDeliveryRoutes,
  apiKeyRoutes,
  auditRoutes,
]

/** Fastify with our errors and schemas, without a route. */
export function createApp(config: ApiConfig, { log }: Pick<ApiPorts, 'log'>): Api {
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.maxBodyBytes,
    requestTimeout: config.fileTimeoutMs,
    trustProxy: config.trustedProxies.length > 0 ? config.trustedProxies : false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: sendProblem,
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy()
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
      const body = JSON.stringify(new ProblemError(status, 'This is no HTTP request we can read.').toBody())
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${problemType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      )
    },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler(() => {
    throw notFound('endpoint')
  })
  return app
}

/** Files may take long; anything else has to be here soon, or it holds a connection for nothing. */
function limitArrival(app: Api, { requestTimeoutMs }: ApiConfig): void {
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    if (routeOptions.config.takesFile) return
    const timer = setTimeout(() => raw.complete || raw.destroy(), requestTimeoutMs)
    raw.once('close', () => clearTimeout(timer))
  })
}

/** As other machines reach it, when it listens on all addresses. */
function ownUrl(app: Api, host: string): string {
  return `http://${['0.0.0.0', '::'].includes(host) ? hostname() : host}:${portOf(app)}`
}

async function checkDatabase({ database }: ApiPorts): Promise<Record<string, boolean>> {
  return database.ping().then(
    () => ({ database: true }),
    () => ({ database: false }),
  )
}
