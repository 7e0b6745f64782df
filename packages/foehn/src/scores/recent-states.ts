// States that were read last. Forecasts from neighbouring dates verify at the same times, so what is read once is wanted again soon.

/** Reads states, keeping some of them. */
export class RecentStates<T> {
  readonly #kept = new Map<number, Promise<T>>();

  /** @param most states that are kept, at least one; the oldest read is dropped first */
  constructor(
    readonly read: (time: number) => Promise<T>,
    readonly most: number,
  ) {}

  /** The state at a time (epoch seconds). @throws what reading throws */
  at(time: number): Promise<T> {
    const known = this.#kept.get(time);
    if (known) return known;
    for (const oldest of [...this.#kept.keys()].slice(0, Math.max(0, this.#kept.size - this.most + 1))) {
      this.#kept.delete(oldest);
    }
    const state = this.read(time);
    this.#kept.set(time, state);
    return state;
  }

  clear(): void {
    this.#kept.clear();
  }
}
