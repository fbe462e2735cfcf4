import { execFile } from 'node:child_process'
import { binary } from '../../support/processes.js'
import { masterSecret } from '../../support/system.js'
import { inParallel } from '../rig.js'
import { exactly, none, row } from '../row.js'

const own = 'kR7wNz2m'
const safe: Record<string, string | undefined> = {
  BUSBAR_DATABASE_URL: `postgres://busbar:${own}@127.0.0.1:1/busbar`,
  BUSBAR_REDIS_URL: `redis://busbar:${own}@127.0.0.1:1`,
  BUSBAR_KAFKA_BROKERS: '127.0.0.1:1',
  BUSBAR_KAFKA_SASL: 'scram-sha-512',
  BUSBAR_KAFKA_USERNAME: 'busbar',
  BUSBAR_KAFKA_PASSWORD: own,
  BUSBAR_SECRET: masterSecret,
}
const noKafkaLogin = {
  BUSBAR_KAFKA_SASL: undefined,
  BUSBAR_KAFKA_USERNAME: undefined,
  BUSBAR_KAFKA_PASSWORD: undefined,
}

/** What somebody forgot, and the setting that the refusal has to name. */
const starts: { setting: string; env: Record<string, string | undefined>; needless?: string }[] = [
  // A migration opens and seals nothing.
  { setting: 'BUSBAR_SECRET', env: { BUSBAR_SECRET: undefined }, needless: 'migrate' },
  { setting: 'BUSBAR_SECRET', env: { BUSBAR_SECRET: 'too short' } },
  { setting: 'BUSBAR_SECRET', env: { BUSBAR_SECRET: 'change-me-change-me-change-me-change-me' } },
  { setting: 'BUSBAR_SECRET', env: { BUSBAR_SECRET: '0'.repeat(64) } },
  { setting: 'BUSBAR_DATABASE_URL', env: { BUSBAR_DATABASE_URL: 'postgres://postgres@127.0.0.1:1/postgres' } },
  { setting: 'BUSBAR_DATABASE_URL', env: { BUSBAR_DATABASE_URL: 'postgres://postgres:postgres@127.0.0.1:1/postgres' } },
  { setting: 'BUSBAR_DATABASE_URL', env: { BUSBAR_DATABASE_URL: 'postgres://fleet:fleet@127.0.0.1:1/postgres' } },
  { setting: 'BUSBAR_REDIS_URL', env: { BUSBAR_REDIS_URL: 'redis://127.0.0.1:1' } },
  { setting: 'BUSBAR_REDIS_URL', env: { BUSBAR_REDIS_URL: 'redis://:redis@127.0.0.1:1' } },
  { setting: 'BUSBAR_KAFKA_SASL', env: noKafkaLogin },
  { setting: 'BUSBAR_KAFKA_SASL', env: { BUSBAR_KAFKA_PASSWORD: 'changeme' } },
  { setting: 'BUSBAR_KAFKA_PASSWORD', env: { BUSBAR_KAFKA_PASSWORD: undefined } },
  { setting: 'BUSBAR_REPLICATION', env: { BUSBAR_REPLICATION: '1' } },
]
const roles = ['gateway', 'worker', 'api', 'migrate'] as const

function start(role: string, env: Record<string, string | undefined>): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [binary, role],
      { env: { PATH: process.env.PATH, ...safe, ...env }, timeout: 30_000 },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), text: `${stdout}${stderr}` }),
    )
  })
}

export const openServices = row({
  id: 'T22',
  fault: 'a start in production with a secret that is missing or known, or on services that ask nobody who they are',
  sizes: { small: { roles: 1 }, full: { roles: roles.length } },
  async run(rig, size) {
    const tried = roles
      .slice(0, size.roles)
      .flatMap((role) => starts.flatMap((each) => (each.needless === role ? [] : [{ role, ...each }])))
    const [begun, unclear, told]: [string[], string[], string[]] = [[], [], []]
    await inParallel(tried, 2, async ({ role, setting, env }) => {
      if (rig.isOver) return
      const { code, text } = await start(role, env)
      const name = `${role} ${JSON.stringify(env)}`
      if (code === 0) begun.push(name)
      if (!new RegExp(`^  ${setting}: `, 'm').test(text)) unclear.push(`${name}: ${text}`)
      if (text.includes(own) || text.includes(masterSecret)) told.push(`${name}: ${text}`)
    })
    const { code, text } = await start('gateway', {})
    return {
      injected: `${tried.length} starts`,
      figures: [
        none('that were not refused', begun),
        none('without the name of the setting', unclear),
        none('that tell a secret', told),
        // The services are not there, but nothing is wrong with the settings.
        exactly('refused with nothing wrong', /The configuration is wrong/.test(text) || code === 0 ? 1 : 0, 0),
      ],
    }
  },
})
