// Where the time of a training goes, by kind of work. Measured always (it costs nothing), told on request (`--profiler simple`).

import { join } from "node:path";
import { atomicWrite } from "../core/files.js";
import type { Progress } from "../core/progress.js";

/** Kinds of work, in the order of a step. */
export const workKinds = ["data_wait", "forward", "backward", "optimizer", "validation", "checkpoint"] as const;
/** A kind of work. */
export type WorkKind = (typeof workKinds)[number];

/** Sums of seconds since the process began training. */
export class StepTimes {
  readonly #startedAt = performance.now();
  readonly #seconds: Record<WorkKind, number> = {
    data_wait: 0,
    forward: 0,
    backward: 0,
    optimizer: 0,
    validation: 0,
    checkpoint: 0,
  };

  add(kind: WorkKind, seconds: number): void {
    this.#seconds[kind] += seconds;
  }

  /** Runs `fn` and counts its time. */
  measure<T>(kind: WorkKind, fn: () => T): T {
    const start = performance.now();
    try {
      return fn();
    } finally {
      this.add(kind, (performance.now() - start) / 1000);
    }
  }

  /** The same for asynchronous work. */
  async measureAsync<T>(kind: WorkKind, fn: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await fn();
    } finally {
      this.add(kind, (performance.now() - start) / 1000);
    }
  }

  /** Seconds by kind, with what is left over as `other`, and all together as `total`. */
  summary(): Record<WorkKind | "other" | "total", number> {
    const total = (performance.now() - this.#startedAt) / 1000;
    const known = Object.values(this.#seconds).reduce((sum, value) => sum + value, 0);
    return { ...this.#seconds, other: Math.max(0, total - known), total };
  }
}

/** Tells people, and writes profile.json into the run folder. @param steps optimiser steps in that time */
export async function reportTimes(runDir: string, times: StepTimes, steps: number, progress: Progress): Promise<void> {
  const summary = times.summary();
  await atomicWrite(join(runDir, "profile.json"), `${JSON.stringify({ steps, seconds: summary }, null, 1)}\n`);
  progress.note(formatTimes(summary, steps));
}

/** A table for people: seconds, share and seconds per step. */
function formatTimes(summary: ReturnType<StepTimes["summary"]>, steps: number): string {
  const lines = Object.entries(summary).map(([kind, seconds]) => {
    const share = `${((100 * seconds) / summary.total).toFixed(1)} %`;
    const perStep = steps === 0 ? "" : `${((1000 * seconds) / steps).toFixed(1)} ms/step`;
    const name = kind.replace("_", " ").padEnd(11);
    return `${name} ${`${seconds.toFixed(2)} s`.padStart(11)} ${share.padStart(8)} ${perStep.padStart(15)}`;
  });
  return ["where the time went:", ...lines].join("\n  ");
}
