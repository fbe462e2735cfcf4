import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { TestAuthority } from '../../support/certificates.js'
import { freePort } from '../../support/system.js'

/** What the system under test is started with, and what its stations have to know of it. */
export interface Doors {
  env: Record<string, string>
  /** Up to the station's id. */
  secureUrl: string
  /** By which stations know the server; PEM. */
  serverRoot: string
  /** By which the server knows stations. */
  stationRoot: TestAuthority
  /** Takes the certificates and keys of the server off the disk. */
  remove: () => Promise<void>
}

export const operatorName = 'Lab Operator'
export const serverName = 'localhost'

/** A TLS port with an RSA and an EC certificate, made for this run. */
export async function makeDoors(): Promise<Doors> {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-doors-'))
  const root = await TestAuthority.create('Lab Server Root')
  const files = await Promise.all(
    (['rsa', 'ec'] as const).map(async (keyType) => {
      const draft = { commonName: serverName, hosts: [serverName, '127.0.0.1'], usage: 'server', keyType } as const
      const { chain, key } = await root.issue(draft)
      const names = { certificate: path.join(folder, `${keyType}.pem`), key: path.join(folder, `${keyType}.key`) }
      await writeFile(names.certificate, chain)
      await writeFile(names.key, key, { mode: 0o600 })
      return names
    }),
  )
  const port = await freePort()
  return {
    env: {
      BUSBAR_GATEWAY_TLS_PORT: String(port),
      BUSBAR_GATEWAY_TLS_CERTIFICATES: files.map(({ certificate }) => certificate).join(','),
      BUSBAR_GATEWAY_TLS_KEYS: files.map(({ key }) => key).join(','),
      BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1',
      BUSBAR_GATEWAY_ALLOW_PROFILE_0: 'true',
      // So that a half-open link is found within the test's time.
      BUSBAR_GATEWAY_PING_INTERVAL_SECONDS: '1',
      BUSBAR_OPERATOR_NAME: operatorName,
    },
    secureUrl: `wss://127.0.0.1:${port}/ocpp`,
    serverRoot: root.certificate,
    stationRoot: await TestAuthority.create('Lab Station Root'),
    remove: () => rm(folder, { recursive: true }),
  }
}
