// How a sample lies in memory, and filling that memory from frames. The same code runs in the main thread and in worker threads,
// which is why results do not depend on how many there are. No tensors here.

import type { FrameKey, FramePart, FrameStore } from "../frames.js";
import type { SampleStart } from "../periods.js";

/** The parts of a sample that are read. */
export const partNames = ["inputs", "outputs", "forcing", "initialForcing"] as const;

/** A part of a sample. */
export type PartName = (typeof partNames)[number];

/** Shape of the samples of a dataset. */
export interface SampleLayout {
  readonly numInputSteps: number;
  readonly numPredSteps: number;
  readonly stepSeconds: number;
  readonly shape: readonly [ny: number, nx: number];
  /** Features of the inputs: those at the front of the state. */
  readonly numPrognostic: number;
  /** Features of the outputs: all of the state. */
  readonly numFeatures: number;
  readonly numForcing: number;
  /** Whether the forcing at the newest input time is read as well. */
  readonly hasInitialForcing: boolean;
}

/** The memory of each part. */
export type SampleMemory = Readonly<Record<PartName, Float32Array>>;

/** `(timesteps, H, W, features)` of a part. */
export function partShape(layout: SampleLayout, part: PartName): [number, number, number, number] {
  const [ny, nx] = layout.shape;
  switch (part) {
    case "inputs":
      return [layout.numInputSteps, ny, nx, layout.numPrognostic];
    case "outputs":
      return [layout.numPredSteps, ny, nx, layout.numFeatures];
    case "forcing":
      return [layout.numPredSteps, ny, nx, layout.numForcing];
    case "initialForcing":
      return [layout.hasInitialForcing ? 1 : 0, ny, nx, layout.numForcing];
  }
}

/** Number of values of a part of one sample. */
export function partLength(layout: SampleLayout, part: PartName): number {
  return partShape(layout, part).reduce((product, size) => product * size, 1);
}

/** The frames of each part, in order. */
function partFrames(layout: SampleLayout, start: SampleStart, part: PartName): FrameKey[] {
  const { numInputSteps, numPredSteps, stepSeconds, hasInitialForcing } = layout;
  const [first, count] = {
    inputs: [0, numInputSteps],
    outputs: [numInputSteps, numPredSteps],
    forcing: [numInputSteps, numPredSteps],
    initialForcing: [numInputSteps - 1, hasInitialForcing ? 1 : 0],
  }[part] as [number, number];
  return Array.from({ length: count }, (_, k) => ({ ...start, time: start.time + (first + k) * stepSeconds }));
}

/** Reads a sample into its memory. @param keep frames stay in memory for other samples */
export async function fillSample(
  frames: FrameStore,
  layout: SampleLayout,
  start: SampleStart,
  memory: SampleMemory,
  keep: boolean,
): Promise<void> {
  const work: (() => Promise<void>)[] = [];
  for (const part of partNames) {
    const width = partShape(layout, part)[3];
    const framePart: FramePart = part === "inputs" || part === "outputs" ? "state" : "forcing";
    const size = layout.shape[0] * layout.shape[1] * width;
    if (size === 0) continue;
    for (const [k, key] of partFrames(layout, start, part).entries()) {
      const target = memory[part].subarray(k * size, (k + 1) * size);
      work.push(() => frames.fill(framePart, key, target, { width, keep }));
    }
  }
  await Promise.all(work.map((fill) => fill()));
}
