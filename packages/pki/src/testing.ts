import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A folder for `openssl`, the second opinion of these tests. */
export function opensslFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'busbar-pki-'))
  return {
    write: (name: string, content: string | Buffer) => writeFileSync(path.join(folder, name), content),
    read: (name: string) => readFileSync(path.join(folder, name)),
    /** @throws Error when it ends with a failure */
    openssl: (...args: string[]) => execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' }),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
