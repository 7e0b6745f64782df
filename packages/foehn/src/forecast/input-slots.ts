// Which inputs of a network were written for the step about to be made. A rollout that forgets to refresh an input (a forcing that
// stays at the initial time, a channel the model does not predict) gives plausible, wrong fields; here it gives an error.

import { ModelError } from "../core/errors.js";
import { formatTime } from "../core/time.js";

/** The inputs of a network, each with the times (one per row of the batch) for which it was last written. */
export class InputSlots {
  readonly #written: Map<string, readonly number[]>;

  /** @param names every input except those that never change; or slots to go on from */
  constructor(names: Iterable<string> | InputSlots) {
    const known = names instanceof InputSlots ? names.#written : [...names].map((name) => [name, []] as const);
    this.#written = new Map<string, readonly number[]>(known);
  }

  /** Notes that inputs hold the values valid at `times`. @throws ModelError for a name that is no input */
  refresh(names: Iterable<string>, times: readonly number[]): void {
    for (const name of names) {
      if (!this.#written.has(name)) throw new ModelError(`"${name}" is not an input of the network`);
      this.#written.set(name, times);
    }
  }

  /** @throws ModelError naming every input of `names` that is not of `times` */
  require(names: Iterable<string>, times: readonly number[]): void {
    const isFresh = (written: readonly number[] = []) =>
      written.length === times.length && written.every((time, row) => time === times[row]);
    const stale = [...names].filter((name) => !isFresh(this.#written.get(name)));
    if (stale.length === 0) return;
    const last = stale.map((name) => {
      const [written] = this.#written.get(name) ?? [];
      return `${name} (${written === undefined ? "never set" : `last set for ${formatTime(written)}`})`;
    });
    throw new ModelError(`inputs of the step to ${formatTime(times[0] ?? 0)} were not refreshed: ${last.join(", ")}`, {
      hint: "every prognostic variable must come out of the network, every forcing from a source or a formula",
    });
  }
}
