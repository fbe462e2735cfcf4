import type { QuirkKind } from '@busbar/ocpp'

/** Labels of the metric `busbar_quirks_total{kind}`: what the readers tolerate, and what services do. */
export type ToleranceKind =
  | QuirkKind
  /** A time before stations had clocks; the time of receipt counts. */
  | 'clock-unset'
  /** Switch acceptEmptyIdTag. */
  | 'id-tag-empty'
  /** Switch idTagBeforeUnderscore. */
  | 'id-tag-suffix'
  /** Switch endSuperseded. */
  | 'transaction-never-ended'
  /** A Stop that names no id that was ever handed out. */
  | 'transaction-id-unusable'
