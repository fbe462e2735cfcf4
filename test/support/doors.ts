import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ClientOptions, WebSocket } from 'ws'
import { type Identity, type KeyType, TestAuthority } from './certificates.js'

/** What the system under test is started with to take stations over TLS, and what its stations have to know of it. */
export interface Doors {
  env: Record<string, string>
  /** By which stations know the server. */
  serverRoot: TestAuthority
  /** By which the server knows stations, once it is told. */
  stationRoot: TestAuthority
  /** Puts another certificate of the server on the disk. */
  renew(keyType: KeyType): Promise<Identity>
  /** Takes the certificates and keys of the server off the disk. */
  remove(): Promise<void>
}

export const operatorName = 'Lab Operator'
export const serverName = 'localhost'

const keyTypes = ['rsa', 'ec'] as const

/** An RSA and an EC certificate, made for this run. */
export async function makeDoors(): Promise<Doors> {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-doors-'))
  const [serverRoot, stationRoot] = await Promise.all([
    TestAuthority.create('Lab Server Root'),
    TestAuthority.create('Lab Station Root'),
  ])
  const file = (keyType: KeyType, ending: 'pem' | 'key') => path.join(folder, `${keyType}.${ending}`)
  const renew = async (keyType: KeyType) => {
    const hosts = [serverName, '127.0.0.1']
    const identity = await serverRoot.issue({ commonName: serverName, hosts, usage: 'server', keyType })
    await writeFile(file(keyType, 'pem'), identity.chain)
    await writeFile(file(keyType, 'key'), identity.key, { mode: 0o600 })
    return identity
  }
  await Promise.all(keyTypes.map(renew))
  return {
    env: {
      BUSBAR_GATEWAY_TLS_CERTIFICATES: keyTypes.map((keyType) => file(keyType, 'pem')).join(','),
      BUSBAR_GATEWAY_TLS_KEYS: keyTypes.map((keyType) => file(keyType, 'key')).join(','),
      BUSBAR_OPERATOR_NAME: operatorName,
    },
    serverRoot,
    stationRoot,
    renew,
    remove: () => rm(folder, { recursive: true }),
  }
}

/** Who comes with what. */
export interface Caller {
  id: string
  password?: string
  /** Shown in the TLS handshake. */
  identity?: Pick<Identity, 'chain' | 'key'>
  /** Where a proxy says it comes from. */
  address?: string
  /** Where it comes from. */
  localAddress?: string
  /** What else it says. */
  headers?: Record<string, string>
}

/**
 * A station that asks to be let in.
 * @param url up to the station's id
 * @returns the open socket, or the status of the refusal
 */
export function knock(url: string, doors: Doors, caller: Caller): Promise<WebSocket | number> {
  const { id, password, identity, address, localAddress, headers } = caller
  const options: ClientOptions = {
    ca: doors.serverRoot.certificate,
    ...(password !== undefined && { auth: `${id}:${password}` }),
    ...(identity && { cert: identity.chain, key: identity.key }),
    ...(localAddress !== undefined && { localAddress }),
    headers: { ...(address !== undefined && { 'X-Forwarded-For': address }), ...headers },
  }
  const socket = new WebSocket(`${url}/${encodeURIComponent(id)}`, ['ocpp1.6'], options)
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket))
    socket.once('unexpected-response', (request, { statusCode = 0 }) => {
      request.destroy()
      resolve(statusCode)
    })
    socket.once('error', reject)
  })
}

/** @throws when it was refused */
export async function letIn(knocked: Promise<WebSocket | number>): Promise<WebSocket> {
  const result = await knocked
  if (typeof result === 'number') throw new Error(`Refused with ${result}`)
  return result
}

/** Hangs up again where it was let in. @returns 101, or the status of the refusal */
export async function statusOf(knocked: Promise<WebSocket | number>): Promise<number> {
  const result = await knocked
  if (typeof result === 'number') return result
  result.terminate()
  return 101
}
