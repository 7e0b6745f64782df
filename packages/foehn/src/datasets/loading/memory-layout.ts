// Where the parts of a batch lie in its shared memory: marks in front, then each part for all samples. No tensors here, so that
// reading threads need not load the engine.

import { partLength, partNames, type SampleLayout, type SampleMemory } from "./sample.js";

/** Bytes in front for the marks: one number for each part, 1 when no tensor uses the part. */
export const headBytes = 64;

/** The memory of one batch. */
export interface BatchMemory {
  readonly buffer: SharedArrayBuffer;
  readonly batchSize: number;
  readonly layout: SampleLayout;
}

/** Bytes of a batch with its marks. */
export function batchBytes(layout: SampleLayout, batchSize: number): number {
  return headBytes + 4 * batchSize * partNames.reduce((sum, part) => sum + partLength(layout, part), 0);
}

/** The memory of sample `i` of a batch. */
export function sampleMemory({ buffer, batchSize, layout }: BatchMemory, i: number): SampleMemory {
  let offset = headBytes;
  const views = partNames.map((part) => {
    const length = partLength(layout, part);
    const view = new Float32Array(buffer, offset + 4 * i * length, length);
    offset += 4 * batchSize * length;
    return [part, view] as const;
  });
  return Object.fromEntries(views) as unknown as SampleMemory;
}
