export const roles = ['viewer', 'operator', 'admin', 'auditor'] as const
export type Role = (typeof roles)[number]

export function isApiRole(text: string): text is Role {
  return roles.some((role) => role === text)
}

/** Who is behind a request: an API key, or a person or program with a token of the identity provider. */
export interface Caller {
  /** Of the API key, or `oidc:` and the subject. */
  id: string
  /** The person or program behind it: the same for all API keys that it made, and that these made. */
  owner: string
  /** Whether it switches no more stations a minute than a person may without approval. */
  isLimited: boolean
  name: string
  roles: readonly Role[]
  /** Of an access token. */
  expiresAt?: Date
}

const readers: readonly Role[] = roles
const operators: readonly Role[] = ['operator', 'admin']
const admins: readonly Role[] = ['admin']
const auditors: readonly Role[] = ['auditor', 'admin']

/** Who may call what. An endpoint that is not in here cannot be registered. */
export const access: Readonly<Record<string, readonly Role[]>> = {
  'GET /v1/sites': readers,
  'POST /v1/sites': operators,
  'GET /v1/sites/:id': readers,
  'PATCH /v1/sites/:id': operators,
  'DELETE /v1/sites/:id': operators,

  'GET /v1/stations': readers,
  'POST /v1/stations': operators,
  'GET /v1/stations/:id': readers,
  'PATCH /v1/stations/:id': operators,
  'DELETE /v1/stations/:id': operators,
  'POST /v1/imports/stations': operators,
  'POST /v1/imports/secrets': operators,
  'POST /v1/imports/tokens': operators,

  'GET /v1/station-groups': readers,
  'POST /v1/station-groups': operators,
  'GET /v1/station-groups/:id': readers,
  'PATCH /v1/station-groups/:id': operators,
  'DELETE /v1/station-groups/:id': operators,
  'POST /v1/station-groups/:id/stations': operators,
  'GET /v1/presets': readers,
  'GET /v1/stations/:id/variables': readers,
  'PUT /v1/stations/:id/secret': operators,
  'PUT /v1/stations/:id/registration': operators,
  'GET /v1/stations/:id/heartbeats': readers,
  'GET /v1/stations/:id/commands': readers,
  'POST /v1/stations/:id/commands': operators,
  'GET /v1/commands/:id': readers,

  'POST /v1/stations/:id/clear-cache': operators,
  'POST /v1/stations/:id/reset': operators,
  'POST /v1/stations/:id/unlock': operators,
  'POST /v1/stations/:id/availability': operators,
  'POST /v1/stations/:id/data-transfer': operators,
  'POST /v1/stations/:id/remote-start': operators,
  'POST /v1/stations/:id/remote-stop': operators,
  'GET /v1/stations/:id/configuration': readers,
  'POST /v1/stations/:id/configuration/read': operators,
  'POST /v1/stations/:id/configuration/change': operators,
  'POST /v1/stations/:id/trigger': operators,
  'POST /v1/stations/:id/firmware/update': operators,
  'POST /v1/stations/:id/firmware/update-signed': operators,
  'POST /v1/stations/:id/diagnostics': operators,
  'POST /v1/stations/:id/log': operators,
  'GET /v1/stations/:id/transfers': readers,
  'GET /v1/stations/:id/charging-profiles': readers,
  'GET /v1/stations/:id/composite-schedule': readers,
  'POST /v1/stations/:id/charging-profiles': operators,
  'POST /v1/stations/:id/charging-profiles/clear': operators,
  'POST /v1/stations/:id/composite-schedule/read': operators,
  'GET /v1/reservations': readers,
  'GET /v1/stations/:id/reservations': readers,
  'POST /v1/stations/:id/reservations': operators,
  'POST /v1/stations/:id/reservations/cancel': operators,
  'GET /v1/stations/:id/local-list': readers,
  'POST /v1/stations/:id/local-list/version': operators,
  'POST /v1/stations/:id/local-list/send': operators,

  'GET /v1/files/:id/content': operators,
  'DELETE /v1/files/:id': operators,
  'GET /v1/firmware': readers,
  'POST /v1/firmware': operators,
  'GET /v1/firmware/:id': readers,
  'PUT /v1/firmware/:id/signature': operators,
  'DELETE /v1/firmware/:id': operators,

  'GET /v1/stations/:id/certificates': readers,
  'POST /v1/stations/:id/certificates/renew': operators,
  'POST /v1/stations/:id/certificates/install': operators,
  'POST /v1/stations/:id/certificates/read': operators,
  'POST /v1/stations/:id/certificates/delete': operators,
  'GET /v1/stations/:id/security-events': readers,
  'POST /v1/stations/:id/password': operators,
  'POST /v1/stations/:id/security-profile': operators,

  'GET /v1/tokens': readers,
  'POST /v1/tokens': operators,
  'GET /v1/tokens/:id': readers,
  'PATCH /v1/tokens/:id': operators,
  'DELETE /v1/tokens/:id': operators,
  'GET /v1/token-groups': readers,
  'POST /v1/token-groups': operators,
  'GET /v1/token-groups/:id': readers,
  'PATCH /v1/token-groups/:id': operators,
  'DELETE /v1/token-groups/:id': operators,

  'GET /v1/transactions': readers,
  'GET /v1/transactions/export': readers,
  'GET /v1/transactions/:id': readers,
  'POST /v1/transactions/:id/close': operators,
  'POST /v1/transactions/:id/correct': operators,
  'GET /v1/transactions/:id/steps': readers,
  'GET /v1/transactions/:id/readings': readers,

  'GET /v1/certificate-authorities': readers,
  'POST /v1/certificate-authorities': admins,
  'GET /v1/trust-anchors': readers,
  'POST /v1/trust-anchors': admins,
  'DELETE /v1/trust-anchors/:id': admins,
  'GET /v1/revoked-certificates': readers,
  'POST /v1/revoked-certificates': admins,
  'DELETE /v1/revoked-certificates/:fingerprint': admins,
  'GET /v1/refused-attempts': readers,
  'POST /v1/refused-attempts/:id/register': operators,

  'GET /v1/journal': readers,
  'GET /v1/dead-letters': readers,
  'GET /v1/dead-letters/:id': readers,
  'POST /v1/dead-letters/replay': operators,
  'POST /v1/dead-letters/:id/replay': operators,
  'POST /v1/dead-letters/:id/discard': operators,
  'GET /v1/events': readers,

  'GET /v1/bulk-commands': readers,
  'POST /v1/bulk-commands': operators,
  'GET /v1/bulk-commands/:id': readers,
  'GET /v1/bulk-commands/:id/stations': readers,
  'POST /v1/bulk-commands/:id/approve': operators,
  'POST /v1/bulk-commands/:id/deny': operators,
  'POST /v1/bulk-commands/:id/stop': operators,
  'POST /v1/bulk-commands/:id/resume': operators,
  'POST /v1/bulk-commands/:id/cancel': operators,
  'GET /v1/bulk-kill-switch': readers,
  'POST /v1/bulk-kill-switch': operators,
  'DELETE /v1/bulk-kill-switch': admins,

  'GET /v1/alerts': readers,
  'GET /v1/alerts/:id': readers,
  'POST /v1/alerts/:id/acknowledge': operators,

  'GET /v1/webhooks': operators,
  'POST /v1/webhooks': admins,
  'GET /v1/webhooks/:id': operators,
  'PATCH /v1/webhooks/:id': admins,
  'DELETE /v1/webhooks/:id': admins,
  'POST /v1/webhooks/:id/secret': admins,
  'POST /v1/webhooks/:id/test': operators,
  'GET /v1/webhooks/:id/deliveries': operators,
  'GET /v1/webhooks/:id/deliveries/:deliveryId': operators,
  'POST /v1/webhooks/:id/deliveries/:deliveryId/resend': operators,

  'GET /v1/api-keys': admins,
  'POST /v1/api-keys': admins,
  'DELETE /v1/api-keys/:id': admins,
  'GET /v1/audit': auditors,
  'GET /v1/audit/head': auditors,
  'GET /v1/audit/verify': auditors,
}

/** Reachable without a key: liveness, metrics, the documentation, and files whose address is the key. */
export function isPublic(url: string): boolean {
  const prefixes = ['/docs/', '/files/']
  return (
    ['/', '/healthz', '/readyz', '/metrics', '/docs'].includes(url) || prefixes.some((prefix) => url.startsWith(prefix))
  )
}
