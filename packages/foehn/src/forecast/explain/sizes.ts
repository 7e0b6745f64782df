// Estimates of memory and disk, from shapes alone. Memory is a lower bound: what a network keeps between its layers is not known
// before it runs. Disk is without compression.

import { statfs } from "node:fs/promises";
import { freemem } from "node:os";
import { dirname } from "node:path";
import { forcingNames } from "../../datasets/forcings.js";
import type { SizePart } from "./explanation.js";
import type { ModelFacts } from "./model-facts.js";

const float = 4;

/** What a forecast keeps in memory. Independent of steps, dates and members except through the rows of a call. */
export function memoryParts(facts: ModelFacts, rows: number, weightBytes: number, outputs: number): SizePart[] {
  const points = facts.grid.shape[0] * facts.grid.shape[1];
  const field = points * float;
  const inputs = facts.numInputSteps * facts.initial.length + facts.numStatics + forcingNames(facts.forcing).length;
  return [
    { what: "weights", bytes: weightBytes },
    // The history now and after the step, and the physical fields of both.
    { what: "states", bytes: 2 * rows * (facts.numInputSteps * facts.initial.length + facts.features.length) * field },
    { what: "network input", bytes: rows * inputs * field },
    // One step is written while the next is computed.
    { what: "steps on their way to the outputs", bytes: 2 * rows * outputs * field },
  ];
}

/** Bytes of memory that programs may still take. */
export const memoryFree = (): number => process.availableMemory?.() ?? freemem();

/** Bytes free where a file would be; undefined where that cannot be told. */
export async function diskFree(path: string): Promise<number | undefined> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    } catch {
      if (folder === dirname(folder)) return undefined;
    }
  }
}

/** Bytes of a forecast's fields. */
export function outputBytes(facts: ModelFacts, variables: number, times: number, bytesPerValue: number): number {
  return variables * times * facts.grid.shape[0] * facts.grid.shape[1] * bytesPerValue;
}
