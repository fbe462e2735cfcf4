import { invariantNames } from './invariants.js'
import type { Played } from './play.js'
import type { Figure, Row } from './row.js'

const plainHead = ['row', 'fault', 'injected', 'figures', 'seconds', '']
const faultsHead = ['row', 'fault', 'injected', ...invariantNames, 'figures', 'seconds', '']

/** What rows came to, as Markdown: those that fail processes and services share columns. */
export class Results {
  readonly #faults: string[] = []
  readonly #plain: string[] = []
  #missed = 0

  get missed(): number {
    return this.#missed
  }

  /** @returns the line, and the first few of what went wrong */
  add({ row, injected, invariants, figures, seconds }: Played): string[] {
    const all = [...invariants, ...figures]
    const isReached = all.every(({ isMet }) => isMet)
    const columns = invariants.map(({ value, isMet }) => (isMet ? value : `**${value}**`))
    const ending = [figures.map(toText).join('; '), seconds.toFixed(0), this.#verdict(isReached)]
    const line = toLine([row.id, row.fault, injected, ...columns, ...ending])
    if (invariants.length === 0) this.#plain.push(line)
    else this.#faults.push(line)
    return [line, ...all.flatMap(({ name, examples }) => examples.map((example) => `  ${name}: ${example}`))]
  }

  addFailed({ id, fault }: Row, cause: unknown): string {
    const line = toLine([id, fault, '', `could not be run: ${String(cause)}`, '0', this.#verdict(false)])
    this.#plain.push(line)
    return line
  }

  toLines(): string[] {
    return [...toTable(faultsHead, this.#faults), '', ...toTable(plainHead, this.#plain)]
  }

  #verdict(isReached: boolean): string {
    if (!isReached) this.#missed += 1
    return isReached ? 'reached' : '**missed**'
  }
}

function toTable(head: readonly string[], lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [toLine(head), toLine(head.map(() => '---')), ...lines]
}

const toLine = (columns: readonly string[]) => `| ${columns.join(' | ')} |`

function toText({ name, value, goal }: Figure): string {
  return goal === '' ? `${name} ${value}` : `${name} **${value}** (asked ${goal})`
}
