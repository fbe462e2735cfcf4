/** The upgrade that a station of 1.6 asks for. */
export function upgradeRequest(id: string, password: string): string {
  const credentials = Buffer.from(`${id}:${password}`).toString('base64')
  const authorization = password ? `Authorization: Basic ${credentials}\r\n` : ''
  return (
    `GET /ocpp/${id} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
    `Sec-WebSocket-Protocol: ocpp1.6\r\n${authorization}\r\n`
  )
}
