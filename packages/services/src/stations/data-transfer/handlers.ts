/** What a station, or we, send each other beside the standard (OCPP 1.6 §4.3; 2.0.1 part 2 P02). */
export interface VendorMessage {
  vendorId: string
  /** null where the message names none. */
  messageId: string | null
  /** Text in 1.6, any JSON in 2.0.1. */
  data: unknown
}

export interface VendorAnswer {
  status: 'Accepted' | 'Rejected'
  /** Text where the station speaks 1.6: anything else is sent as its JSON there. */
  data?: unknown
}

/** Pure, like any decision: it may be asked twice about one message. */
export type VendorHandler = (message: VendorMessage, context: { stationId: string; now: Date }) => VendorAnswer

/** By vendorId, then messageId; '' handles messages that name none. Names are compared as they are. */
export type VendorHandlers = Readonly<Record<string, Readonly<Record<string, VendorHandler>>>>

/**
 * Busbar's own: `echo` comes back as it was sent, so that who commissions a station can test the whole path, from the
 * station's socket to the commit of a decision, without any effect.
 */
export const ownHandlers: VendorHandlers = {
  busbar: { echo: ({ data }) => ({ status: 'Accepted', ...(data !== undefined && { data }) }) },
}

/** @returns what the station is told, and whether a handler took the message */
export function answerVendor(
  handlers: VendorHandlers,
  message: VendorMessage,
  context: { stationId: string; now: Date },
): VendorAnswer | { status: 'UnknownVendorId' | 'UnknownMessageId' } {
  const ofVendor = Object.hasOwn(handlers, message.vendorId) ? handlers[message.vendorId] : undefined
  if (!ofVendor) return { status: 'UnknownVendorId' }
  const messageId = message.messageId ?? ''
  const handle = Object.hasOwn(ofVendor, messageId) ? ofVendor[messageId] : undefined
  return handle ? handle(message, context) : { status: 'UnknownMessageId' }
}
