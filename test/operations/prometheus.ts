import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { freePort, until } from '../support/processes.js'

export const deployFolder = fileURLToPath(new URL('../../deploy', import.meta.url))

interface ScrapeConfig {
  job_name: string
  dns_sd_configs?: unknown
  static_configs?: { targets: string[] }[]
}

interface PrometheusConfig {
  global: Record<string, string>
  rule_files: string[]
  scrape_configs: ScrapeConfig[]
}

export interface Series {
  metric: Record<string, string>
  value: [number, string]
}

export interface Rule {
  name: string
  type: string
  health: string
  lastError?: string
  state: string
  alerts: { state: string; labels: Record<string, string>; annotations: Record<string, string> }[]
}

/** A real Prometheus with the configuration of deploy/, but for addresses and a faster clock. */
export class Prometheus {
  readonly #url: string
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.#url = url
    this.#child = child
    this.#folder = folder
  }

  /** @param targets host:port, by job; jobs without any are left out */
  static async start(targets: Record<string, string[]>): Promise<Prometheus> {
    const folder = await mkdtemp(path.join(tmpdir(), 'busbar-prometheus-'))
    const source = path.join(deployFolder, 'prometheus')
    const config: PrometheusConfig = parse(await readFile(path.join(source, 'prometheus.yml'), 'utf8'))
    const configFile = path.join(folder, 'prometheus.yml')
    await writeFile(
      configFile,
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: config.rule_files.map((each) => path.join(source, each)),
        scrape_configs: config.scrape_configs.flatMap(({ dns_sd_configs: _, ...rest }) =>
          targets[rest.job_name] ? [{ ...rest, static_configs: [{ targets: targets[rest.job_name] }] }] : [],
        ),
      }),
    )
    const port = await freePort()
    const log = openSync(path.join(folder, 'prometheus.log'), 'a')
    const child = spawn(
      'prometheus',
      [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${path.join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', log, log] },
    )
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, child, folder)
    await until(`Prometheus (its log: ${folder}/prometheus.log)`, async () => {
      if (child.exitCode !== null) throw new Error(await readFile(path.join(folder, 'prometheus.log'), 'utf8'))
      return (await fetch(`${prometheus.#url}/-/ready`).catch(() => null))?.ok
    })
    return prometheus
  }

  /** Of this moment. @throws Error for a query that cannot be read */
  async query(expression: string): Promise<Series[]> {
    return (await this.#get<{ result: Series[] }>(`query?${new URLSearchParams({ query: expression })}`)).result
  }

  async names(): Promise<string[]> {
    return this.#get<string[]>('label/__name__/values')
  }

  async rules(): Promise<Rule[]> {
    return (await this.#get<{ groups: { rules: Rule[] }[] }>('rules')).groups.flatMap(({ rules }) => rules)
  }

  async firing(): Promise<string[]> {
    return (await this.rules()).flatMap(({ name, state }) => (state === 'firing' ? [name] : []))
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGTERM')
    await exited
    await rm(this.#folder, { recursive: true })
  }

  async #get<Data>(what: string): Promise<Data> {
    const response = await fetch(`${this.#url}/api/v1/${what}`)
    const answer = (await response.json()) as { status: string; data: Data; error?: string }
    if (answer.status !== 'success') throw new Error(`${what}: ${answer.error}`)
    return answer.data
  }
}
