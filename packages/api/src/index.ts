export { isApiRole, type Role, roles } from './access.js'
export { type ApiKeyDraft, createApiKey, createFirstApiKey, type NewApiKey, revokeApiKey } from './api-keys.js'
export { formatAnchor, type Link, parseAnchor } from './audit-chain/chain.js'
export { startAuditSealing } from './audit-chain/seal.js'
export { verifyAudit } from './audit-chain/verify.js'
export { describeApi } from './describe.js'
export { deleteOldFiles } from './files/old-files.js'
export { type HealthPorts, startHealthServer } from './health.js'
export { type OidcConfig, oidcAlgorithms } from './oidc.js'
export {
  type ApiConfig,
  type ApiPorts,
  apiDefaults,
  type CommandIntake,
  type CommandRequest,
  type PreparedCommand,
} from './ports.js'
export { type RunningApi, startApi } from './start.js'
