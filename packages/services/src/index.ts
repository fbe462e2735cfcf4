export type { AlertSettings } from './alerts/settings.js'
export { createBuiltInIssuer } from './certificates/built-in-issuer.js'
export type { CertificateIssuer, IssueRequest } from './certificates/issuer.js'
export {
  type CommandIntake,
  createCommandIntake,
  createCommandsService,
  type Intake,
  type IntakeRequest,
} from './commands/index.js'
export { describeTopics } from './contracts/asyncapi.js'
export { createJournalService } from './journal/service.js'
export { createNotificationsService, type NotificationsOptions, startNotifications } from './notifications/service.js'
export { replayDeadLetters } from './pipeline/dead-letter.js'
export { startDueJobs } from './pipeline/due-jobs.js'
export { runService } from './pipeline/run-service.js'
export type {
  CommandDraft,
  CommittedBatch,
  Decide,
  Decision,
  DecisionContext,
  Dispatch,
  EventDraft,
  InboundRecord,
  Ports,
  Service,
} from './pipeline/service.js'
export { createReservationsService } from './reservations/service.js'
export { createSmartChargingService } from './smart-charging/service.js'
export { startLeaseWatch } from './stations/lease-watch.js'
export { createStationsService } from './stations/service.js'
export {
  createTransactionIntake,
  type TransactionIntake,
  type TransactionRequest,
} from './transactions/operator/intake.js'
export { createTransactionsService } from './transactions/service.js'
export { Egress, isEgressOrigin, isNetwork } from './webhooks/egress.js'
export { createWebhookIntake, type WebhookIntake } from './webhooks/intake.js'
