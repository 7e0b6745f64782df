// ForecastOutput: what a forecast is streamed to, step by step. Files (file-output.ts), scores (scores/) and tests implement it.
// An output never holds a whole forecast. Not here: the rollout that feeds it (rollout.ts).

import type { Grid } from "../../grid/grid.js";

/** A variable of a forecast. */
export interface OutputVariable {
  readonly name: string;
  readonly units: string;
  readonly longName: string;
  readonly standardName?: string | undefined;
}

/** What is known before the first step. */
export interface ForecastHeader {
  readonly variables: readonly OutputVariable[];
  readonly grid: Grid;
  /** Epoch seconds UTC, ascending. */
  readonly initialTimes: readonly number[];
  /** Seconds after the initial time of each item, ascending; the first is 0, the initial condition. */
  readonly leadTimes: readonly number[];
  /** Where it comes from: model, version, source, command line. */
  readonly provenance: Readonly<Record<string, string>>;
}

/** The fields at one valid time of one forecast. */
export interface ForecastStep {
  /** Place in `initialTimes` and `leadTimes`. */
  readonly initialIndex: number;
  readonly leadIndex: number;
  /** Epoch seconds UTC. */
  readonly validTime: number;
  /** One (ny, nx) field per variable, physical units. Valid until the promise of `write` resolves. */
  readonly fields: readonly Float32Array[];
}

/** A consumer of forecasts. */
export interface ForecastOutput {
  open(header: ForecastHeader): Promise<void>;
  /** Takes a step; resolves when `fields` may be reused. Steps come in order; several may be under way. */
  write(step: ForecastStep): Promise<void>;
  /** Finishes: only now does anything appear under its final name. Returns that name, where there is one. */
  close(): Promise<string | undefined>;
  /** Gives up and leaves nothing behind. Safe to call at any time. */
  abort(): Promise<void>;
}
