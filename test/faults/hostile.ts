import type { StationSocket } from '@busbar/simulator'
import { password, type Rig } from './rig.js'
import { tryTarget } from './upgrade.js'

/** Texts that end a line, steer a terminal, run in a browser, or pass for something of ours. @param mark finds it again */
export const hostileTexts: readonly ((mark: string) => string)[] = [
  (mark) => `${mark}\n${mark}`,
  (mark) => `${mark}\r\n${mark}`,
  (mark) => `${mark}\n{"level":60,"time":1,"pid":1,"msg":"${mark}"}`,
  (mark) => `${mark}","level":60,"msg":"${mark}`,
  (mark) => `\u001b[2J\u001b[31m${mark}`,
  (mark) => `\u001b]0;${mark}\u0007`,
  (mark) => `\u009b2J${mark}`,
  (mark) => `${mark}\b\b\b\u007f${mark}`,
  (mark) => `${mark}\u0000${mark}`,
  (mark) => `${mark}\u0085${mark}\u2028${mark}\u2029`,
  (mark) => `\u202e${mark}\u2066\u200b`,
  (mark) => `${mark}\ud800${mark}`,
  (mark) => `<script>alert('${mark}')</script>`,
  (mark) => `"><img src=x onerror=alert("${mark}")>`,
  (mark) => `'; DROP TABLE station; --${mark}`,
  (mark) => `${mark}"} 1\nbusbar_forged_total{x="${mark}"} 1`,
  (mark) => `${mark}\n\nevent: reset\ndata: {"mark":"${mark}"}\n\n`,
  (mark) => `\${jndi:ldap://x/${mark}}%s%n{{${mark}}}`,
]

/** What carries a station's text into the system; what it returns is awaited. */
export type Carrier = (text: string, station: CarrierPorts) => unknown

export interface CarrierPorts {
  rig: Rig
  id: string
  socket: StationSocket
  port: number
  /** A new connection in place of the one that it closes. */
  reconnect(code: number, reason: string): Promise<void>
}

const now = () => new Date().toISOString()
const says =
  (action: string, payload: (text: string) => object): Carrier =>
  (text, { socket }) =>
    socket.call(action, payload(text) as Record<string, unknown>)
const sends =
  (frame: (text: string) => unknown): Carrier =>
  (text, { socket }) => {
    const sent = frame(text)
    socket.send(typeof sent === 'string' ? sent : JSON.stringify(sent))
  }
const asks =
  (
    target: (text: string) => string,
    credentials: (text: string, id: string) => { id: string; secret: string },
  ): Carrier =>
  (text, { port, id }) =>
    // Whatever cannot be said in HTTP ends there.
    tryTarget(port, target(text), credentials(text, id), '10.12.0.1').catch(() => null)

export const carriers: Readonly<Record<string, Carrier>> = {
  boot: says('BootNotification', (text) => ({
    chargePointVendor: text,
    chargePointModel: text,
    chargePointSerialNumber: text,
    firmwareVersion: text,
    iccid: text,
  })),
  status: says('StatusNotification', (text) => ({
    ...{ connectorId: 1, errorCode: 'OtherError', status: 'Faulted', timestamp: now() },
    ...{ info: text, vendorId: text, vendorErrorCode: text },
  })),
  'status of its own': says('StatusNotification', (text) => ({ connectorId: 1, errorCode: text, status: text })),
  authorize: says('Authorize', (text) => ({ idTag: text })),
  start: says('StartTransaction', (text) => ({ connectorId: 1, idTag: text, meterStart: 0, timestamp: now() })),
  stop: says('StopTransaction', (text) => ({
    ...{ transactionId: 4_711, meterStop: 1, timestamp: now() },
    ...{ idTag: text, reason: text },
  })),
  'time of a start': says('StartTransaction', (text) => ({
    connectorId: 1,
    idTag: 'A',
    meterStart: 0,
    timestamp: text,
  })),
  meter: says('MeterValues', (text) => ({
    connectorId: 1,
    meterValue: [{ timestamp: now(), sampledValue: [{ value: text, unit: text, context: text, measurand: text }] }],
  })),
  data: says('DataTransfer', (text) => ({ vendorId: text, messageId: text, data: text })),
  'security event': says('SecurityEventNotification', (text) => ({ type: text, timestamp: now(), techInfo: text })),
  firmware: says('FirmwareStatusNotification', (text) => ({ status: text })),
  'log status': says('LogStatusNotification', (text) => ({ status: text, requestId: 1 })),
  certificate: says('SignCertificate', (text) => ({ csr: text })),
  'unknown field': says('Heartbeat', (text) => ({ [text]: text })),
  action: sends((text) => [2, 'an action', text, {}]),
  'message id': sends((text) => [2, text, 'Heartbeat', {}]),
  'no JSON': sends((text) => text),
  'answer to nothing': sends((text) => [4, text, text, text, { [text]: text }]),
  'CALLERROR to a command': (text, { rig, id, socket }) => {
    socket.on('ClearCache', (_payload, messageId) => {
      socket.send(JSON.stringify([4, messageId, text, text, { [text]: text }]))
      throw new Error(text)
    })
    return rig.command(id, 'ClearCache', {}, { wait: 10 })
  },
  configuration: (text, { rig, id, socket }) => {
    const configurationKey = [{ key: text, value: text, readonly: false }]
    socket.on('GetConfiguration', () => ({ configurationKey, unknownKey: [text] }))
    return rig.command(id, 'GetConfiguration', {}, { wait: 10 })
  },
  'reason of a close': (text, { reconnect }) => reconnect(4_000, text),
  path: asks(
    (text) => `/ocpp/${encodeURIComponent(Buffer.from(text).toString())}`,
    () => ({ id: 'x', secret: 'x' }),
  ),
  'path as it is': asks(
    (text) => `/ocpp/${text}`,
    () => ({ id: 'x', secret: 'x' }),
  ),
  credentials: asks(
    (_text) => '/ocpp/HOSTILE-0000',
    (text) => ({ id: text, secret: text }),
  ),
  'password of its own': asks(
    (_text) => '/ocpp/HOSTILE-0000',
    (text, id) => ({ id, secret: `${password}${text}` }),
  ),
}
