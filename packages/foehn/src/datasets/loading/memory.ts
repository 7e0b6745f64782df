// Memory for batches, used again and again: fresh memory costs a page fault every 4 kB, and shared memory waits for a garbage
// collection that has no reason to come. A piece may be filled again when the last tensor over it is gone, which the engine marks
// in the piece itself.

import * as torch from "@foehn/torch";
import { type BatchMemory, batchBytes, headBytes } from "./memory-layout.js";
import { type PartName, partLength, partNames, partShape, type SampleLayout } from "./sample.js";

/** Pieces that wait for use, at most; each is as large as a batch. */
const maxIdle = 4;

const marksOf = (buffer: SharedArrayBuffer): Int32Array => new Int32Array(buffer, 0, partNames.length);

const isFree = (buffer: SharedArrayBuffer): boolean => {
  const marks = marksOf(buffer);
  return marks.every((_, i) => Atomics.load(marks, i) === 1);
};

/** Pieces of memory for batches. */
export class BatchMemoryPool {
  #idle: SharedArrayBuffer[] = [];

  /** A piece for a batch: one whose tensors are gone, or a new one. */
  take(layout: SampleLayout, batchSize: number): BatchMemory {
    const bytes = batchBytes(layout, batchSize);
    const found = this.#idle.findIndex((buffer) => buffer.byteLength === bytes && isFree(buffer));
    const buffer = found < 0 ? new SharedArrayBuffer(bytes) : this.#idle.splice(found, 1)[0]!;
    return { buffer, batchSize, layout };
  }

  /** Takes back a piece that no tensor was made over. */
  giveBack({ buffer }: BatchMemory): void {
    marksOf(buffer).fill(1);
    this.#keep(buffer);
  }

  /** Tensors over the parts of a batch, `(B, T, H, W, F)` each. The piece comes back by itself when they are gone. */
  tensors({ buffer, batchSize, layout }: BatchMemory): Readonly<Record<PartName, torch.Tensor>> {
    let offset = headBytes;
    const tensors = partNames.map((part, i) => {
      const length = batchSize * partLength(layout, part);
      const view = new Float32Array(buffer, offset, length);
      offset += 4 * length;
      const released = new Int32Array(buffer, 4 * i, 1);
      if (length === 0) released[0] = 1; // the engine keeps no memory for nothing
      return [part, torch.fromTypedArray(view, [batchSize, ...partShape(layout, part)], { released })] as const;
    });
    this.#keep(buffer);
    return Object.fromEntries(tensors) as Record<PartName, torch.Tensor>;
  }

  #keep(buffer: SharedArrayBuffer): void {
    this.#idle.push(buffer);
    if (this.#idle.length > maxIdle) this.#idle.shift();
  }
}
