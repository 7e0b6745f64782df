// Which inputs of a network were written for the step about to be made. A rollout that forgets to refresh an input (a forcing that
// stays at the initial time, a channel the model does not predict) gives plausible, wrong fields; here it gives an error.

import { ModelError } from "../core/errors.js";
import { formatTime } from "../core/time.js";

/** The inputs of a network, each with the time for which it was last written. */
export class InputSlots {
  readonly #written = new Map<string, number>();

  /** @param names every input except those that never change */
  constructor(names: Iterable<string>) {
    for (const name of names) this.#written.set(name, Number.NaN);
  }

  /** Notes that inputs hold the values valid at `time`. @throws ModelError for a name that is no input */
  refresh(names: Iterable<string>, time: number): void {
    for (const name of names) {
      if (!this.#written.has(name)) throw new ModelError(`"${name}" is not an input of the network`);
      this.#written.set(name, time);
    }
  }

  /** @throws ModelError naming every input of `names` that is not of `time` */
  require(names: Iterable<string>, time: number): void {
    const stale = [...names].filter((name) => this.#written.get(name) !== time);
    if (stale.length === 0) return;
    const last = stale.map((name) => {
      const written = this.#written.get(name);
      return `${name} (${written === undefined || Number.isNaN(written) ? "never set" : `last set for ${formatTime(written)}`})`;
    });
    throw new ModelError(`inputs of the step to ${formatTime(time)} were not refreshed: ${last.join(", ")}`, {
      hint: "every prognostic variable must come out of the network, every forcing from a source or a formula",
    });
  }
}
