import pg from 'pg'
import { connectionConfig } from './database.js'
import { toStoreError } from './errors.js'

/** Settings of Postgres and the values under which what was committed may be lost. */
const losing: Readonly<Record<string, string>> = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }

/**
 * Whether it lets in anybody, or may lose what was committed.
 * @throws UnavailableError when it cannot be reached, the driver's error when it does not let us in
 */
export async function findPostgresWeaknesses(url: string): Promise<string[]> {
  const client = new pg.Client(connectionConfig(url))
  client.on('error', () => {})
  const { password } = client
  // Where we name none, a certificate or the system says who we are.
  let wasAsked = !password || new URL(url).searchParams.has('sslcert')
  Object.assign(client, {
    password: () => {
      wasAsked = true
      return password
    },
  })
  try {
    await client.connect()
    const { rows } = await client.query<{ name: string; setting: string }>(
      'SELECT name, setting FROM pg_settings WHERE name = ANY($1)',
      [Object.keys(losing)],
    )
    const lost = rows.filter(({ name, setting }) => setting === losing[name])
    return [
      ...(wasAsked ? [] : ['lets in whoever comes, without asking for the password']),
      ...lost.map(({ name }) => `has ${name} off: what was committed may be lost`),
    ]
  } catch (cause) {
    throw toStoreError(cause)
  } finally {
    await client.end()
  }
}
