// Loading the batches of one part of a dataset: memory, reading (here or in threads), tensors. Reading and making tensors are two
// steps, because the first runs ahead while the caller computes, and the second belongs to the caller's scope.

import * as torch from "@foehn/torch";
import { NamedTensor } from "../../tensor/named-tensor.js";
import type { DatasetInfo, Item, ItemBatch, ItemDims, LoadedBatch } from "../dataset.js";
import type { FrameStore } from "../frames.js";
import { createItem } from "../item.js";
import type { SampleStart } from "../periods.js";
import type { BatchMemoryPool } from "./memory.js";
import { type BatchMemory, sampleMemory } from "./memory-layout.js";
import { fillSample, type SampleLayout } from "./sample.js";
import type { ReadingThreads } from "./workers.js";

const itemDims: ItemDims = ["timestep", "lat", "lon", "features"];
const batchDims = ["batch", ...itemDims] as const;

/** What a loader works with. */
export interface LoaderInput {
  readonly info: DatasetInfo;
  readonly layout: SampleLayout;
  readonly frames: FrameStore;
  readonly memory: BatchMemoryPool;
  /** Without them the main thread reads. */
  readonly threads?: ReadingThreads | undefined;
}

/** Loads samples. */
export class SampleLoader {
  readonly #input: LoaderInput;

  constructor(input: LoaderInput) {
    this.#input = input;
  }

  /**
   * Reads samples as one batch and makes no tensors.
   * @param keep frames stay in memory for other samples
   * @throws DataError for NaN with `onNan: "fail"`, and what the source throws
   */
  async load(starts: readonly SampleStart[], keep: boolean): Promise<LoadedBatch> {
    const memory = await this.#fill(starts, keep);
    return {
      toBatch: () => this.#batch(starts, memory),
      release: () => this.#input.memory.giveBack(memory),
    };
  }

  /** Reads one sample, in the main thread. */
  async item(start: SampleStart): Promise<Item> {
    const memory = this.#input.memory.take(this.#input.layout, 1);
    const { frames, layout } = this.#input;
    await fillSample(frames, layout, start, sampleMemory(memory, 0), true);
    const { times, ...batch } = this.#batch([start], memory);
    const parts: Record<string, NamedTensor<ItemDims>> = {};
    for (const [name, part] of Object.entries(batch)) {
      if (!(part instanceof NamedTensor)) continue;
      parts[name] = new NamedTensor(part.tensor.select(0, 0), itemDims, part.featureNames);
      part.dispose();
    }
    const { inputs, outputs, forcing, ...more } = parts;
    return createItem({
      inputs: inputs!,
      outputs: outputs!,
      forcing: forcing!,
      ...more,
      times: { inputs: times.inputs[0]!, outputs: times.outputs[0]! },
    });
  }

  async #fill(starts: readonly SampleStart[], keep: boolean): Promise<BatchMemory> {
    const { layout, frames, threads } = this.#input;
    const memory = this.#input.memory.take(layout, starts.length);
    const reading = starts.map((start, i) =>
      threads ? threads.read(start, memory, i, keep) : fillSample(frames, layout, start, sampleMemory(memory, i), keep),
    );
    // All of them, also after a failure: the memory must not be in use when it is given back.
    const failed = (await Promise.allSettled(reading)).find((result) => result.status === "rejected");
    if (failed) {
      this.#input.memory.giveBack(memory);
      throw failed.reason;
    }
    return memory;
  }

  #batch(starts: readonly SampleStart[], memory: BatchMemory): ItemBatch {
    const { info, layout } = this.#input;
    const { numInputSteps, numPredSteps, numPrognostic } = layout;
    const tensors = this.#input.memory.tensors(memory);
    const features = info.features.map((feature) => feature.name);
    const named = (tensor: torch.Tensor, names: readonly string[]) => new NamedTensor(tensor, batchDims, names);
    const parts = {
      inputs: named(tensors.inputs, features.slice(0, numPrognostic)),
      outputs: named(tensors.outputs, features),
      forcing: named(tensors.forcing, info.forcingNames),
      ...(layout.hasInitialForcing ? { initialForcing: named(tensors.initialForcing, info.forcingNames) } : {}),
    };
    if (!layout.hasInitialForcing) tensors.initialForcing.dispose();
    const masks = info.masksMissing
      ? { mask: maskOf(parts.outputs), inputMask: maskOf(parts.inputs), forcingMask: maskOf(parts.forcing) }
      : {};
    if (info.masksMissing) for (const part of Object.values(parts)) part.tensor.nanToNum_({ nan: 0 });
    const times = starts.map((start) => sampleTimes(layout, start));
    return {
      ...parts,
      ...masks,
      times: { inputs: times.map((t) => t.inputs), outputs: times.map((t) => t.outputs) },
      batchSize: starts.length,
      numInputSteps,
      numPredSteps,
    };
  }
}

/** The valid times of a sample. */
export function sampleTimes(layout: SampleLayout, start: SampleStart): { inputs: number[]; outputs: number[] } {
  const { numInputSteps, numPredSteps, stepSeconds } = layout;
  const at = (k: number) => start.time + k * stepSeconds;
  return {
    inputs: Array.from({ length: numInputSteps }, (_, k) => at(k)),
    outputs: Array.from({ length: numPredSteps }, (_, k) => at(numInputSteps + k)),
  };
}

/** 1 where a value exists, 0 where it is NaN. */
function maskOf(part: NamedTensor): NamedTensor {
  return part.withTensor(torch.scope(() => part.tensor.isnan().logicalNot().to("float32")));
}
