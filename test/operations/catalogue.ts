interface Entry {
  type: string
  help: string
  roles: string[]
  labels: Set<string>
}

const heading = `# Metrics

What \`/metrics\` of each role shows, read from a running system by \`test/operations/monitoring.test.ts\`, which fails where
this table and the processes disagree (\`npx vitest run --config test/vitest.config.ts test/operations -u\` writes it anew).
Beside these, each process has prom-client's defaults: \`process_*\` (CPU, memory, open files) and \`nodejs_*\` (event loop delay,
garbage collection, heap). No metric has a station for a label: the journal answers what one station said.
`

/** @param texts Prometheus text format, by role */
export function toCatalogue(texts: readonly (readonly [role: string, text: string])[]): string {
  const entries = new Map<string, Entry>()
  for (const [role, text] of texts) for (const metric of readMetrics(text)) add(entries, role, metric)
  const rows = [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(toRow)
  return [heading, '| metric | type | labels | of | what |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

type Metric = Omit<Entry, 'roles'> & { name: string }

function readMetrics(text: string): Metric[] {
  return text.split(/^(?=# HELP )/m).flatMap((part) => {
    const [, name = '', help = ''] = /^# HELP (busbar_\w+) (.*)$/m.exec(part) ?? []
    const [, type = ''] = /^# TYPE \w+ (\w+)$/m.exec(part) ?? []
    const labels = [...part.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le')
    return name === '' ? [] : [{ name, help, type, labels: new Set(labels) }]
  })
}

function add(entries: Map<string, Entry>, role: string, { name, ...metric }: Metric): void {
  const entry = entries.get(name) ?? { ...metric, roles: [] }
  entry.roles.push(role)
  for (const label of metric.labels) entry.labels.add(label)
  entries.set(name, entry)
}

function toRow([name, { type, labels, roles, help }]: [string, Entry]): string {
  return `| \`${name}\` | ${type} | ${[...labels].sort().join(', ')} | ${roles.join(', ')} | ${help} |`
}
