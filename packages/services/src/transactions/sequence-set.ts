/** Whole numbers as inclusive ranges, ascending and apart: the seqNos a transaction has shown. */
export type SequenceSet = [first: number, last: number][]

export function contains(set: SequenceSet, value: number): boolean {
  return set.some(([first, last]) => first <= value && value <= last)
}

export function insert(set: SequenceSet, value: number): SequenceSet {
  if (contains(set, value)) return set
  const before = set.filter(([, last]) => last < value - 1)
  const after = set.filter(([first]) => first > value + 1)
  const touching = set.filter(([first, last]) => last === value - 1 || first === value + 1)
  const first = Math.min(value, ...touching.map(([each]) => each))
  const last = Math.max(value, ...touching.map(([, each]) => each))
  return [...before, [first, last], ...after]
}

/** The ranges missing between `from` and the highest number shown. */
export function gaps(set: SequenceSet, from: number): SequenceSet {
  const missing: SequenceSet = []
  let next = from
  for (const [first, last] of set) {
    if (first > next) missing.push([next, first - 1])
    next = Math.max(next, last + 1)
  }
  return missing
}
