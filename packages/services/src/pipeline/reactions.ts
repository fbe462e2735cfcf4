/**
 * Every CALL that Busbar sends although nobody asked for it. One without a switch belongs to what the station began itself;
 * the others stay silent until the operator sets the switch for the station: certification plays rigid sequences, and real
 * stations break on surprises.
 */
export const reactions = {
  /** The station asked to have its certificate signed (OCPP 1.6 security white paper A02, A03). */
  'certificate-signed': { switch: null },
  /** The certificate of a station comes to its end: it is asked to send a new request. */
  'certificate-renewal': { switch: 'renewCertificates' },
  /** A token was refused after a safe answer had let it charge: the transaction is stopped. */
  'stop-refused': { switch: null },
  /** The station accepted for good ignores the interval of its boot: its HeartbeatInterval is set. 1.6 only. */
  'set-heartbeat-interval': { switch: 'setHeartbeatInterval' },
  /** A station refused a change of its local list: it is asked for its version once, and gets a full list once. */
  'list-fallback': { switch: 'localListFallback' },
  /** Tokens changed: the list of a station that is to be kept in step gets the changes. */
  'list-sync': { switch: 'localListSync' },
} as const satisfies Readonly<Record<string, { switch: string | null }>>

export type Reaction = keyof typeof reactions

/** @param switches of the station, as the operator set them */
export function mayReact(reaction: Reaction, switches: Readonly<Record<string, unknown>>): boolean {
  const { switch: name }: { switch: string | null } = reactions[reaction]
  return name === null || switches[name] === true
}
