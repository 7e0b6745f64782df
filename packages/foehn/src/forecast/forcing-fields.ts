// The forcing of a forecast at a valid time: fields that are read and normalised, and those that are computed.
// The same values as in training (datasets/frames.ts), from any source.

import { DataError } from "../core/errors.js";
import { formatTime } from "../core/time.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { computeForcings } from "../datasets/forcings.js";
import { describeTimes } from "../sources/resolve.js";
import type { Source } from "../sources/source.js";
import { hasTime, type StateReader, stateReader } from "./initial-state.js";

/** Forcing at one time. */
export interface Forcing {
  /** (H, W, F), normalised; 0 where missing. */
  readonly values: Float32Array;
  /** (H, W): 1 where every forcing that is read exists; undefined when all do. */
  readonly mask: Float32Array | undefined;
}

/** Gives the forcing of a model. */
export class ForcingFields {
  readonly #info: DatasetInfo;
  readonly #reader: StateReader | undefined;
  readonly #allowMissing: boolean;
  /** Those of the last call: rows of a batch and steps that follow each other share times. */
  #kept = new Map<number, Promise<Forcing>>();

  /** @throws DataError when a source is needed and missing, or does not fit */
  constructor(info: DatasetInfo, source: Source | undefined, { allowMissing }: { readonly allowMissing: boolean }) {
    this.#info = info;
    this.#allowMissing = allowMissing;
    const { variables } = info.forcing;
    if (variables.length === 0) return;
    if (!source) {
      throw new DataError(`the model reads forcings at every valid time: ${variables.join(", ")}`, {
        hint: "give data that have them over the whole forecast",
      });
    }
    const wanted = variables.map((name) => ({
      name,
      units: source.variables.find((variable) => variable.name === name)?.units ?? "",
    }));
    this.#reader = stateReader(source, wanted, info.grid);
  }

  /** @throws DataError naming the times at which forcings are read and the data have none */
  requireTimes(wanted: readonly number[]): void {
    const source = this.#reader?.source;
    if (!source) return;
    const lacking = [...new Set(wanted)].filter((time) => !hasTime(source.times, time)).sort((a, b) => a - b);
    if (lacking.length === 0) return;
    const shown = lacking.slice(0, 5).map(formatTime).join(", ");
    throw new DataError(
      `the forcings ${this.#info.forcing.variables.join(", ")} are read at every valid time; the data lack ${shown}${lacking.length > 5 ? ` and ${lacking.length - 5} more times` : ""}`,
      { where: source.description, hint: `they have ${describeTimes(source.times)}: ask for fewer steps` },
    );
  }

  /** The forcing valid at each of some times, every one read and computed once. */
  async at(times: readonly number[]): Promise<Forcing[]> {
    // What another forecast of the same model asks for meanwhile is computed again rather than kept.
    this.#kept = new Map(times.map((time) => [time, this.#kept.get(time) ?? this.#make(time)]));
    const kept = [...this.#kept];
    const results = await Promise.allSettled(kept.map(([, forcing]) => forcing));
    for (const [i, [time]] of kept.entries()) if (results[i]!.status === "rejected") this.#kept.delete(time);
    return Promise.all(kept.map(([, forcing]) => forcing));
  }

  async #make(time: number): Promise<Forcing> {
    const { forcing, grid, stats } = this.#info;
    const read = new Map<string, Float32Array>();
    let mask: Float32Array | undefined;
    const fields = await this.#reader?.read(time, { allowMissing: this.#allowMissing });
    for (const [i, name] of (fields ? forcing.variables : []).entries()) {
      const { mean, std } = stats[name]!;
      const normalised = fields![i]!.map((value) => (value - mean) / std);
      for (let n = 0; n < normalised.length; n++) {
        if (Number.isFinite(normalised[n])) continue;
        mask ??= new Float32Array(normalised.length).fill(1);
        mask[n] = 0;
        normalised[n] = 0;
      }
      read.set(name, normalised);
    }
    return { values: computeForcings(forcing, grid, time, read), mask };
  }
}
