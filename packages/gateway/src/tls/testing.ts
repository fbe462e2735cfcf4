import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type Identity, TestAuthority } from '../../../../test/support/certificates.js'
import type { GatewayConfig } from '../config.js'
import { type FakeDatabase, type Refused, startTestGateway, type TestGateway } from '../testing.js'
import type { TlsConfig } from './server-context.js'

/** Certificates of a test deployment: one authority for the servers, one for the stations. */
export interface TestPki {
  serverRoot: TestAuthority
  stationRoot: TestAuthority
  servers: readonly Identity[]
  folder: string
  tls: TlsConfig
  remove(): Promise<void>
}

export async function makeTestPki(): Promise<TestPki> {
  const [serverRoot, stationRoot] = await Promise.all([
    TestAuthority.create('Servers'),
    TestAuthority.create('Stations'),
  ])
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-tls-'))
  const draft = { commonName: 'localhost', hosts: ['localhost', '127.0.0.1'], usage: 'server' as const }
  const servers = [
    await serverRoot.issue({ ...draft, keyType: 'ec' }),
    await serverRoot.issue({ ...draft, keyType: 'rsa' }),
  ]
  const certificates = await Promise.all(servers.map((server, index) => writePair(folder, String(index), server)))
  return {
    serverRoot,
    stationRoot,
    servers,
    folder,
    tls: { port: 0, certificates, rsaKeyExchange: true, handshakeTimeoutMs: 10_000, reloadMs: 20 },
    remove: () => rm(folder, { recursive: true }),
  }
}

/** As a file each, the way an operator names them. */
export async function writePair(folder: string, name: string, { chain, key }: Pick<Identity, 'chain' | 'key'>) {
  const pair = { certificateFile: path.join(folder, `${name}.pem`), keyFile: path.join(folder, `${name}.key`) }
  await Promise.all([writeFile(pair.certificateFile, chain), writeFile(pair.keyFile, key)])
  return pair
}

/** A gateway with TLS that trusts the authority of the stations and looks at its tables often. */
export async function startSecureGateway(
  pki: TestPki,
  config: Partial<GatewayConfig> = {},
  fill: (database: FakeDatabase) => void = () => {},
): Promise<TestGateway> {
  return await startTestGateway({ tls: pki.tls, trustPollMs: 20, ...config }, {}, (database) => {
    database.anchors.push(pki.stationRoot)
    fill(database)
  })
}

/** What a station needs of TLS: whom it trusts, and who it is. */
export function clientOf(pki: TestPki, identity?: Pick<Identity, 'chain' | 'key'>) {
  return { ca: pki.serverRoot.certificate, ...(identity && { cert: identity.chain, key: identity.key }) }
}

/** 101, the status of the refusal, or the code of what failed before HTTP. */
export async function outcomeOf(attempt: Promise<unknown>): Promise<number | string> {
  return await attempt.then(
    () => 101,
    (refused: Partial<Refused> & { code?: string }) => refused.status ?? refused.code ?? 'failed',
  )
}

/** Shakes hands, and trusts the test's servers. */
export async function handshake(pki: TestPki, port: number | null, options: ConnectionOptions): Promise<TLSSocket> {
  return await new Promise((resolve, reject) => {
    const common = { host: '127.0.0.1', port: port ?? 0, ca: pki.serverRoot.certificate }
    const socket = connect({ ...common, ...options }, () => resolve(socket))
    socket.on('error', reject)
  })
}
