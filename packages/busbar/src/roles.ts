import path from 'node:path'
import { type ApiConfig, startApi, startAuditSealing, startHealthServer } from '@busbar/api'
import type { ServiceName } from '@busbar/backbone'
import { type FileStore, openLocalFileStore, openS3FileStore } from '@busbar/files'
import { type GatewayConfig, startGateway } from '@busbar/gateway'
import {
  createBuiltInIssuer,
  createCommandIntake,
  createCommandsService,
  createJournalService,
  createReservationsService,
  createSmartChargingService,
  createStationsService,
  createTransactionIntake,
  createTransactionsService,
  createWebhookIntake,
  describeTopics,
  Egress,
  type NotificationsOptions,
  replayDeadLetters,
  runService,
  startDueJobs,
  startLeaseWatch,
  startNotifications,
} from '@busbar/services'
import type { Config } from './config.js'
import { showBacklog, showRole } from './metrics.js'
import type { Platform } from './platform.js'
import { startFileRetention, startRetention } from './retention.js'

/** A part of the system that runs in this process. Parts are stopped in the reverse order of their start. */
export interface Running {
  name: string
  /** Where it listens; null for a part that only consumes. */
  port: number | null
  /** False while it takes no new work, as a gateway that drains. */
  readonly ready?: boolean
  /** What `stop` may take; `stopWithinMs` without. */
  readonly stopWithinMs?: number
  stop(): Promise<void>
}

/** Stations connect here. */
export async function startGatewayRole(platform: Platform): Promise<Running & { tlsPort: number | null }> {
  const { values } = platform.config
  const gateway = await startGateway(
    {
      host: values.HOST,
      port: values.GATEWAY_PORT,
      tls: toTlsConfig(values),
      certificateHeader: values.GATEWAY_CERTIFICATE_HEADER ?? null,
      operatorName: values.OPERATOR_NAME ?? null,
      trustPollMs: values.GATEWAY_TRUST_POLL_SECONDS * 1_000,
      allowProfile0: values.GATEWAY_ALLOW_PROFILE_0,
      dev: values.DEV,
      protocols: values.GATEWAY_PROTOCOLS,
      pingIntervalSeconds: values.GATEWAY_PING_INTERVAL_SECONDS,
      silentAfterSeconds: 2 * values.GATEWAY_PING_INTERVAL_SECONDS + 10,
      upgradesPerSecond: values.GATEWAY_UPGRADES_PER_SECOND,
      trustedProxies: values.TRUSTED_PROXIES,
      drainSeconds: values.GATEWAY_DRAIN_SECONDS,
    },
    platform,
  )
  showRole(platform.metrics, 'gateway')
  const reload = () => void gateway.reloadCertificates()
  // Without certificates SIGHUP means what it always means: the terminal is gone.
  if (gateway.tlsPort !== null) process.on('SIGHUP', reload)
  return {
    name: 'gateway',
    port: gateway.port,
    tlsPort: gateway.tlsPort,
    get ready() {
      return gateway.ready
    },
    stopWithinMs: values.GATEWAY_DRAIN_SECONDS * 1_000 + gatewayStopMs,
    async stop() {
      process.off('SIGHUP', reload)
      await gateway.stop()
    },
  }
}

/** Beside the time over which its sockets are closed: what is in flight at them, and their last words. */
const gatewayStopMs = 20_000

const handshakeTimeoutMs = 10_000
const certificateReloadMs = 30_000

function toTlsConfig(values: Platform['config']['values']): GatewayConfig['tls'] {
  const certificates = values.GATEWAY_TLS_CERTIFICATES.map((certificateFile, index) => ({
    certificateFile,
    keyFile: values.GATEWAY_TLS_KEYS[index] ?? '',
  }))
  if (certificates.length === 0) return null
  const rsaKeyExchange = values.GATEWAY_TLS_RSA_KEY_EXCHANGE
  return {
    port: values.GATEWAY_TLS_PORT,
    certificates,
    rsaKeyExchange,
    handshakeTimeoutMs,
    reloadMs: certificateReloadMs,
  }
}

/** Decides and stores. Every service named runs as a consumer group member of its own. */
export async function startWorkerRole(platform: Platform, names: readonly ServiceName[]): Promise<Running[]> {
  const operatorName = platform.config.values.OPERATOR_NAME ?? null
  const certificates = { operatorName, issuer: createBuiltInIssuer({ ...platform, operatorName }) }
  const create = {
    stations: () => runService(createStationsService({ certificates }), platform),
    transactions: () => runService(createTransactionsService(), platform),
    'smart-charging': () => runService(createSmartChargingService(), platform),
    reservations: () => runService(createReservationsService(), platform),
    commands: () => runService(createCommandsService(platform), platform),
    notifications: () => startNotifications(platform, toNotificationsOptions(platform.config)),
    journal: () => runService(createJournalService(), platform),
  }
  // At once: each joins a group of its own, and joining takes seconds.
  const running: Running[] = await Promise.all(
    names.map(async (name) => ({ name, port: null, ...(await create[name]()) })),
  )
  running.push({ name: 'due jobs', port: null, ...(await startDueJobs(platform)) })
  if (names.includes('stations')) running.push({ name: 'lease watch', port: null, ...startLeaseWatch(platform) })
  running.push({ name: 'retention', port: null, ...startRetention(platform) })
  showBacklog(platform.metrics, platform.database)
  showRole(platform.metrics, 'worker')
  return running
}

function toNotificationsOptions({ values }: Config): NotificationsOptions {
  return {
    alerts: {
      offlineMinutes: values.ALERT_OFFLINE_MINUTES,
      faultedMinutes: values.ALERT_FAULTED_MINUTES,
      silentIntervals: values.ALERT_SILENT_INTERVALS,
      stuckHours: values.ALERT_STUCK_HOURS,
      refusedAttempts: values.ALERT_REFUSED_ATTEMPTS,
    },
    webhooks: {
      egress: openEgress(values),
      timeoutMs: values.WEBHOOK_TIMEOUT_SECONDS * 1_000,
      disableAfterMs: values.WEBHOOK_DISABLE_HOURS * 3_600_000,
    },
  }
}

function openEgress({ WEBHOOK_ALLOW: origins, WEBHOOK_NETWORKS: networks }: Config['values']): Egress {
  return new Egress({ origins, networks })
}

/** REST, live events, documentation; ready when what it leans on and the `parts` beside it are. */
export async function startApiRole(platform: Platform, parts: readonly Running[] = []): Promise<Running> {
  const { values } = platform.config
  const files = await openFileStore(platform.config)
  const api = await startApi(
    {
      host: values.HOST,
      port: values.API_PORT,
      requestsPerMinutePerKey: values.API_REQUESTS_PER_MINUTE,
      trustedProxies: values.TRUSTED_PROXIES,
      filesUrl: values.FILES_URL ?? null,
      maxUploadBytes: values.FILES_MAX_UPLOAD_MB * 1_048_576,
      maxFirmwareBytes: values.FILES_MAX_FIRMWARE_MB * 1_048_576,
      fileAddressHours: values.FILES_ADDRESS_HOURS,
      oidc: toOidcConfig(values),
      operatorName: values.OPERATOR_NAME ?? null,
      hasSecureListener: values.GATEWAY_TLS_CERTIFICATES.length > 0 || values.TRUSTED_PROXIES.length > 0,
    },
    {
      ...platform,
      files,
      commands: createCommandIntake(platform),
      transactionRequests: createTransactionIntake(platform.backbone),
      webhooks: createWebhookIntake({ vault: platform.vault, egress: openEgress(values) }),
      asyncApi: describeTopics(platform.backbone.topics),
      replayDeadLetters: (ids, toStatements) => replayDeadLetters(platform, ids, toStatements),
      ready: () => readiness(platform, parts, ['postgres', 'log']),
    },
  )
  const upkeep = [startFileRetention(platform, files), startAuditSealing(platform)]
  showRole(platform.metrics, 'api')
  return {
    name: 'api',
    port: api.port,
    stop: async () => {
      await api.stop()
      await Promise.all(upkeep.map((each) => each.stop()))
      files.close()
    },
  }
}

const keysCooldownMs = 30_000

function toOidcConfig(values: Config['values']): ApiConfig['oidc'] {
  const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience } = values
  if (issuer === undefined || audience === undefined) return null
  return {
    issuer,
    audience,
    roleClaim: values.OIDC_ROLE_CLAIM,
    roles: values.OIDC_ROLES ?? null,
    algorithms: values.OIDC_ALGORITHMS,
    clockToleranceSeconds: values.OIDC_CLOCK_TOLERANCE_SECONDS,
    keysCooldownMs,
  }
}

/** In a bucket where one is named, else in the data folder, which several API processes would have to share. */
function openFileStore({ values }: Config): FileStore | Promise<FileStore> {
  const { FILES_S3_BUCKET: bucket, FILES_S3_ACCESS_KEY: accessKeyId, FILES_S3_SECRET_KEY: secretAccessKey } = values
  if (!bucket) return openLocalFileStore({ folder: path.join(values.DATA_DIR, 'files') })
  return openS3FileStore({
    bucket,
    region: values.FILES_S3_REGION,
    endpoint: values.FILES_S3_ENDPOINT,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  })
}

/** Health and metrics for a process without the API; it is ready when `parts` are, and what it leans on answers. */
export async function startHealthRole(
  platform: Platform,
  parts: readonly Running[],
  needs: readonly Need[],
): Promise<Running> {
  const { values } = platform.config
  const health = await startHealthServer(
    { host: values.HOST, port: values.HEALTH_PORT },
    { metrics: platform.metrics, ready: () => readiness(platform, parts, needs) },
  )
  return { name: 'health', port: health.port, stop: () => health.stop() }
}

/** What a role cannot do without. A gateway can do without Postgres: the stations it knows still get in. */
export type Need = 'postgres' | 'log'

/** @returns per part, and per service it cannot do without, whether it answers */
async function readiness(
  { database, backbone }: Platform,
  parts: readonly Running[],
  needs: readonly Need[],
): Promise<Record<string, boolean>> {
  const answers: Record<Need, () => boolean | Promise<boolean>> = {
    postgres: () =>
      database.ping().then(
        () => true,
        () => false,
      ),
    log: () => backbone.log.available,
  }
  const needed = await Promise.all(needs.map(async (need) => [need, await answers[need]()] as const))
  return Object.fromEntries([...needed, ...parts.map((part) => [part.name, part.ready ?? true] as const)])
}
