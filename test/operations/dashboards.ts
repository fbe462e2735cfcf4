import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { deployFolder } from './prometheus.js'

export interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { type: string; uid: string }
  targets?: { refId: string; expr: string }[]
}

export interface Dashboard {
  file: string
  uid: string
  title: string
  tags: string[]
  templating: { list: { name: string; type: string; query: string | { query: string } }[] }
  panels: Panel[]
}

export async function readDashboards(): Promise<Dashboard[]> {
  const folder = path.join(deployFolder, 'grafana', 'dashboards')
  const files = (await readdir(folder)).sort()
  return Promise.all(
    files.map(async (file) => ({ file, ...JSON.parse(await readFile(path.join(folder, file), 'utf8')) })),
  )
}

/** A panel's query as Grafana would send it, with everything selected. */
export function fillIn(expression: string, rateInterval: string): string {
  return expression.replaceAll('$__rate_interval', rateInterval).replaceAll('$instance', '.*')
}
