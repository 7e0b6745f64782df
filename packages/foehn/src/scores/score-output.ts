// Scores as an output of the rollout: each step is compared with the truth as it comes and only sums stay. The persistence forecast of
// the same initial times is scored beside it. Memory: a few states of truth, whatever the number of steps and dates.

import type { StateReader } from "../forecast/initial-state.js";
import type { ForecastHeader, ForecastOutput, ForecastStep } from "../forecast/outputs/output.js";
import { areaWeights } from "../grid/geometry.js";
import { ScoreSums } from "./sums.js";

/** States of truth that are kept for the next dates, at most this many bytes. */
const cacheBytes = 256 << 20;

/** What `ScoreOutput` compares with. */
export interface ScoreReferences {
  /** Gives the truth for the forecast's variables, in their order. */
  readonly truth: StateReader;
  /** By variable; those without add nothing to ACC. */
  readonly climatology: Readonly<Record<string, Float32Array>>;
}

/** Collects scores from a rollout; read `model` and `persistence` after `close`. Lead 0, the initial state, is not scored. */
export class ScoreOutput implements ForecastOutput {
  readonly #references: ScoreReferences;
  readonly #truth = new Map<number, Promise<Float32Array[]>>();
  readonly #initial = new Map<number, Promise<readonly Float32Array[]>>();
  #header: ForecastHeader | undefined;
  #weights: Float64Array = new Float64Array(0);
  #model = new ScoreSums(0, 0);
  #persistence = new ScoreSums(0, 0);

  constructor(references: ScoreReferences) {
    this.#references = references;
  }

  /** Sums by variable and lead, the first lead being one step. */
  get model(): ScoreSums {
    return this.#model;
  }

  /** The same for the forecast that repeats the initial state. */
  get persistence(): ScoreSums {
    return this.#persistence;
  }

  async open(header: ForecastHeader): Promise<void> {
    this.#header = header;
    this.#weights = areaWeights(header.grid);
    this.#model = new ScoreSums(header.variables.length, header.leadTimes.length - 1);
    this.#persistence = new ScoreSums(header.variables.length, header.leadTimes.length - 1);
  }

  async write({ initialIndex, leadIndex, validTime, fields }: ForecastStep): Promise<void> {
    if (leadIndex === 0) {
      this.#initial.delete(initialIndex - 2);
      const kept = this.#initialFields(fields, validTime);
      this.#initial.set(initialIndex, kept);
      await kept;
      return;
    }
    const initial = await this.#initial.get(initialIndex)!;
    const truth = await this.#truthAt(validTime);
    for (const [v, { name }] of this.#header!.variables.entries()) {
      const references = { truth: truth[v]!, climatology: this.#references.climatology[name] };
      this.#model.add(v, leadIndex - 1, { forecast: fields[v]!, ...references }, this.#weights);
      this.#persistence.add(v, leadIndex - 1, { forecast: initial[v]!, ...references }, this.#weights);
    }
  }

  // What a model does not start from (diagnostic variables) is NaN in its initial condition; persistence takes the analysis.
  async #initialFields(fields: readonly Float32Array[], time: number): Promise<readonly Float32Array[]> {
    const own = fields.map((field) => (field.every(Number.isNaN) ? undefined : field.slice()));
    if (own.every((field) => field !== undefined)) return own;
    const analysis = await this.#truthAt(time);
    return own.map((field, v) => field ?? analysis[v]!);
  }

  // Forecasts from neighbouring dates verify at the same times: the oldest reads are dropped first.
  #truthAt(time: number): Promise<Float32Array[]> {
    let read = this.#truth.get(time);
    if (!read) {
      const { grid, variables } = this.#header!;
      const bytes = variables.length * grid.shape[0] * grid.shape[1] * 4;
      const room = Math.max(2, Math.floor(cacheBytes / bytes));
      for (const oldest of [...this.#truth.keys()].slice(0, Math.max(0, this.#truth.size - room + 1))) {
        this.#truth.delete(oldest);
      }
      read = this.#references.truth.read(time, { allowMissing: true });
      this.#truth.set(time, read);
    }
    return read;
  }

  async close(): Promise<undefined> {
    this.#truth.clear();
    this.#initial.clear();
  }

  async abort(): Promise<void> {
    await this.close();
  }
}
