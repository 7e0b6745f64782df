// Scores as an output of the rollout: each step is compared with the truth as it comes, and only area means stay until the date is
// finished; then they go into the sums, and to whoever keeps them case by case. The persistence forecast of the same initial times is
// scored beside it. Memory: some states of truth and the dates under way, whatever the number of steps and dates. Dates are added in
// their order, so that the sums do not depend on how many were computed at once.

import { DataError, UsageError } from "../core/errors.js";
import type { StateReader } from "../forecast/initial-state.js";
import type { ForecastHeader, ForecastOutput, ForecastStep, OutputUnits } from "../forecast/outputs/output.js";
import type { WorkUnit } from "../forecast/work-plan.js";
import { type CaseMeans, caseMeans, type ScoreArea, scoreArea } from "./case-means.js";
import type { Climatology } from "./climatology.js";
import type { NamedRegion } from "./ensemble/regions.js";
import { RecentStates } from "./recent-states.js";
import { ScoreSums } from "./sums.js";

/** States of truth (and as many of the climatology) that are kept for the next dates, at most this many bytes. */
const cacheBytes = 256 << 20;

/** Who forecast. */
export const forecasters = ["model", "persistence"] as const;

/** One of them. */
export type Forecaster = (typeof forecasters)[number];

/** What is known of one date: area means by forecaster, area, variable and lead, the first lead being one step. */
export type DateMeans = Readonly<Record<Forecaster, readonly (readonly (readonly CaseMeans[])[])[]>>;

/** What `ScoreOutput` compares with, and where. */
export interface ScoreReferences {
  /** Gives the truth for the forecast's variables, in their order. */
  readonly truth: StateReader;
  /** Variables that it lacks add nothing to ACC. */
  readonly climatology: Pick<Climatology, "at">;
  /** Areas beside the whole grid. */
  readonly regions?: readonly NamedRegion[] | undefined;
}

/** Keeps what is known of single dates: a file, for a later call or other processes. */
export interface DateStore {
  has(initialTime: number): boolean;
  add(initialTime: number, means: DateMeans): Promise<void>;
}

/** Name of the area that is the whole grid. */
export const wholeGrid = "grid";

interface DateUnderWay {
  readonly initial: Promise<readonly Float32Array[]>;
  readonly means: Record<Forecaster, CaseMeans[][][]>;
}

/** Collects scores from a rollout; read `sums` after `close`. Lead 0, the initial state, is not scored. */
export class ScoreOutput implements ForecastOutput {
  readonly #references: ScoreReferences;
  readonly #store: DateStore | undefined;
  #truth: RecentStates<Float32Array[]> | undefined;
  #climatology: RecentStates<Readonly<Record<string, Float32Array>>> | undefined;
  readonly #dates = new Map<number, DateUnderWay>();
  #header: ForecastHeader | undefined;
  #areas: readonly ScoreArea[] = [];
  #sums: AreaSums = [];

  /** @param store dates that it has are not computed again; what is computed goes there */
  constructor(references: ScoreReferences, store?: DateStore) {
    this.#references = references;
    this.#store = store;
  }

  /** Sums by area (the whole grid first) and forecaster, each by variable and lead. */
  get sums(): AreaSums {
    return this.#sums;
  }

  /** The model's on the whole grid. */
  get model(): ScoreSums {
    return this.#sums[0]!.model;
  }

  readonly units: OutputUnits = {
    block: { dates: 1, members: 1 },
    isFinished: async (unit) => this.#datesOf(unit).every(({ time }) => this.#store?.has(time) === true),
    finish: async (unit) => {
      for (const { index, time } of this.#datesOf(unit)) {
        const { means } = this.#dates.get(index)!;
        this.#dates.delete(index);
        addDate(this.#sums, means);
        if (this.#store?.has(time) === false) await this.#store.add(time, means);
      }
    },
  };

  #datesOf({ dates: [from, to] }: WorkUnit): { index: number; time: number }[] {
    return this.#header!.initialTimes.slice(from, to).map((time, i) => ({ index: from + i, time }));
  }

  async open(header: ForecastHeader): Promise<void> {
    if (header.hasMembers) {
      throw new DataError(`an ensemble of ${header.members} members cannot be scored as one forecast`, {
        hint: "score-ensemble scores ensembles",
      });
    }
    this.#header = header;
    const bytes = header.variables.length * header.grid.shape[0] * header.grid.shape[1] * 4;
    const room = Math.max(2, Math.floor(cacheBytes / bytes));
    const { truth, climatology } = this.#references;
    this.#truth = new RecentStates((time) => truth.read(time, { allowMissing: true }), room);
    this.#climatology = new RecentStates((time) => climatology.at(time), room);
    const regions = this.#references.regions ?? [];
    const names = regions.map((region) => region.name);
    const taken = names.find((name, i) => [wholeGrid, ...forecasters, ...names.slice(0, i)].includes(name));
    if (taken !== undefined) {
      throw new UsageError(`two areas cannot be called "${taken}"`, { hint: "give each region a name of its own" });
    }
    this.#areas = [
      scoreArea(header.grid, wholeGrid),
      ...regions.map((region) => scoreArea(header.grid, region.name, region)),
    ];
    this.#sums = areaSums(
      this.#areas.map((area) => area.name),
      header.variables.length,
      header.leadTimes.length - 1,
    );
  }

  async write({ initialIndex, leadIndex, validTime, fields }: ForecastStep): Promise<void> {
    if (leadIndex === 0) {
      const initial = this.#initialFields(fields, validTime);
      const table = (): CaseMeans[][][] => this.#areas.map(() => this.#header!.variables.map(() => []));
      this.#dates.set(initialIndex, { initial, means: { model: table(), persistence: table() } });
      await initial;
      return;
    }
    const { initial, means } = this.#dates.get(initialIndex)!;
    const persisted = await initial;
    const [truth, normal] = [await this.#truth!.at(validTime), await this.#climatology!.at(validTime)];
    for (const [v, { name }] of this.#header!.variables.entries()) {
      const references = { truth: truth[v]!, climatology: normal[name] };
      for (const [who, field] of [
        ["model", fields[v]!],
        ["persistence", persisted[v]!],
      ] as const) {
        for (const [a, one] of caseMeans({ forecast: field, ...references }, this.#areas).entries()) {
          means[who][a]![v]![leadIndex - 1] = one;
        }
      }
    }
  }

  // What a model does not start from (diagnostic variables) is NaN in its initial condition; persistence takes the analysis.
  async #initialFields(fields: readonly Float32Array[], time: number): Promise<readonly Float32Array[]> {
    const own = fields.map((field) => (field.every(Number.isNaN) ? undefined : field.slice()));
    if (own.every((field) => field !== undefined)) return own;
    const analysis = await this.#truth!.at(time);
    return own.map((field, v) => field ?? analysis[v]!);
  }

  async close(): Promise<undefined> {
    this.#truth?.clear();
    this.#climatology?.clear();
    this.#dates.clear();
  }

  async abort(): Promise<void> {
    await this.close();
  }
}

/** Sums of each area, the whole grid first. */
export type AreaSums = readonly ({ readonly area: string } & Readonly<Record<Forecaster, ScoreSums>>)[];

/** Empty sums. */
export function areaSums(areas: readonly string[], numVariables: number, numLeads: number): AreaSums {
  return areas.map((area) => ({
    area,
    model: new ScoreSums(numVariables, numLeads),
    persistence: new ScoreSums(numVariables, numLeads),
  }));
}

/** Adds a date. The result depends on the order of dates in its last bits only; add them in their order. */
export function addDate(sums: AreaSums, means: DateMeans): void {
  for (const [a, area] of sums.entries()) {
    for (const who of forecasters) {
      for (const [v, leads] of means[who][a]!.entries()) {
        for (const [lead, one] of leads.entries()) area[who].addMeans(v, lead, one);
      }
    }
  }
}
