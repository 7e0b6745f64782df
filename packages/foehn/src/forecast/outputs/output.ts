// ForecastOutput: what a forecast is streamed to, step by step. Files (file-output.ts), scores (scores/) and tests implement it.
// An output never holds a whole forecast. Not here: the rollout that feeds it (rollout.ts).

import type { Grid } from "../../grid/grid.js";
import type { WorkBlock, WorkUnit } from "../work-plan.js";

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
  /** Forecasts from each initial time; member 0 is the control. */
  readonly members: number;
  /** False for a plain forecast: its files have no ensemble axis. An ensemble of one has it. */
  readonly hasMembers: boolean;
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
  /** 0 to `members` - 1. */
  readonly memberIndex: number;
  /** Epoch seconds UTC. */
  readonly validTime: number;
  /** One (ny, nx) field per variable, physical units. Valid until the promise of `write` resolves. */
  readonly fields: readonly Float32Array[];
}

/** A consumer of forecasts. */
export interface ForecastOutput {
  open(header: ForecastHeader): Promise<void>;
  /**
   * Takes a step; resolves when `fields` may be reused. The steps of one member of one date come in the order of their leads; those of
   * other members and dates may come between them, and several may be under way.
   */
  write(step: ForecastStep): Promise<void>;
  /** Finishes: only now does anything appear under its final name. Returns that name, where there is one. */
  close(): Promise<string | undefined>;
  /** Gives up and leaves nothing behind, except what a later call can go on from. Safe to call at any time. */
  abort(): Promise<void>;
  /** For outputs that can be filled by several calls and processes, unit by unit. */
  readonly units?: OutputUnits | undefined;
}

/** How an output is filled piece by piece. Asked after `open`. */
export interface OutputUnits {
  /** The smallest block that one process can write on its own; units of work are whole blocks. */
  readonly block: WorkBlock;
  /** Whether an earlier call, or another process, has finished a unit. */
  isFinished(unit: WorkUnit): Promise<boolean>;
  /** Every step of the unit has been written: puts it on the disk and notes that it is there. */
  finish(unit: WorkUnit): Promise<void>;
}
