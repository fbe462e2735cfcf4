/** How long topics that nobody waits for rest after a batch: each record would else be a read, a batch and a commit. */
const gatherMs = 200

/** So many at once are company enough: who is behind does not rest. */
const enoughRecords = 500

/** Which topics of a consumer rest, and when they are over. The first record after a quiet time is read at once. */
export class Gathering {
  readonly #topics: ReadonlySet<string>
  readonly #onOver: () => void
  #timer: NodeJS.Timeout | null = null
  #stopped = false

  /** @param onOver the topics may be read again */
  constructor(topics: readonly string[], onOver: () => void) {
    this.#topics = new Set(topics)
    this.#onOver = onOver
  }

  isResting(topic: string): boolean {
    return this.#timer !== null && this.#topics.has(topic)
  }

  /** @returns true when a rest begins: some of these records are of topics that gather */
  delivered(records: readonly { topic: string }[]): boolean {
    if (this.#timer || this.#stopped || records.length >= enoughRecords) return false
    if (!records.some(({ topic }) => this.#topics.has(topic))) return false
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#onOver()
    }, gatherMs)
    return true
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
  }
}
