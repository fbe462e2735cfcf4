import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A certificate signing request as a station makes it, with a key of its own. */
export function makeRequest(subject = '/CN=CP-1/O=Operator', ...keyOptions: string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'busbar-csr-'))
  const key = keyOptions.length > 0 ? keyOptions : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  try {
    const files = ['-keyout', 'key', '-out', 'csr', '-subj', subject]
    execFileSync('openssl', ['req', '-new', '-nodes', ...key, ...files], { cwd: folder, stdio: 'pipe' })
    return readFileSync(path.join(folder, 'csr'), 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}
