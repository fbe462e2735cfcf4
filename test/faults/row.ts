import type { Rig } from './rig.js'

/** One line of the list of faults and threats: what is done to the running system, and what has to hold then. */
export interface Row<Size = unknown> {
  /** As the list names it. */
  id: string
  fault: string
  /** `small` takes seconds and runs with the tests; `full` is what the list names. */
  sizes: { small: Size; full: Size }
  /** It stops processes one by one, so each has to be one of its own. */
  needsProcesses?: true
  /** It breaks Kafka, Redis or Postgres, so they have to be its own. */
  needsOwnServices?: true
  run(rig: Rig, size: Size): Promise<Outcome>
}

/** Lets rows of different sizes stand in one list. */
export function row<Size>(spec: Row<Size>): Row {
  return spec as Row
}

export interface Outcome {
  /** What was really done, counted. */
  injected: string
  /** By `invariantNames`, of a row that fails processes or services. */
  invariants?: Figure[]
  figures: Figure[]
}

export interface Figure {
  name: string
  value: string
  /** What was asked; '' for a figure that is only shown. */
  goal: string
  isMet: boolean
  /** Seconds, shares and samples depend on who else uses the machine: they are shown in the tests, and judged in a full run. */
  isTiming: boolean
  /** The first few of what went wrong. */
  examples: readonly string[]
}

/** What must not happen at all. */
export function none(name: string, found: readonly string[]): Figure {
  const value = String(found.length)
  return { name, value, goal: '0', isMet: found.length === 0, isTiming: false, examples: found.slice(0, 5) }
}

export function exactly(name: string, value: number, goal: number): Figure {
  return { name, value: String(value), goal: String(goal), isMet: value === goal, isTiming: false, examples: [] }
}

/** Memory does not depend on who else uses the machine. */
export function atMost(name: string, value: number, goal: number, unit: 's' | 'ms' | 'x' | 'MiB'): Figure {
  const [isMet, isTiming] = [value <= goal, unit !== 'MiB']
  return { name, value: toText(value, unit), goal: `<= ${goal} ${unit}`, isMet, isTiming, examples: [] }
}

/** Of what there has to be enough of to judge by. */
export function atLeast(name: string, value: number, goal: number): Figure {
  return { name, value: String(value), goal: `>= ${goal}`, isMet: value >= goal, isTiming: true, examples: [] }
}

export function shown(name: string, value: number | string, unit = ''): Figure {
  const text = typeof value === 'number' ? toText(value, unit) : value
  return { name, value: text, goal: '', isMet: true, isTiming: false, examples: [] }
}

function toText(value: number, unit: string): string {
  const rounded = value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(2)
  return unit === '' ? rounded : `${rounded} ${unit}`
}
