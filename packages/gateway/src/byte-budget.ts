/** Bytes of frames that wait for an answer, over all stations of a gateway. */
export class ByteBudget {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** One frame always fits, however large, when nothing else is in hand. */
  take(bytes: number): boolean {
    if (this.#used > 0 && this.#used + bytes > this.#limit) return false
    this.#used += bytes
    return true
  }

  get used(): number {
    return this.#used
  }

  free(bytes: number): void {
    this.#used -= bytes
  }
}
