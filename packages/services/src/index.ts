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
  Verdict,
} from './pipeline/service.js'
