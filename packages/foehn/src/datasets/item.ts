// Making samples and batches, with the checks that keep their parts consistent, and freeing them.

import { DataError } from "../core/errors.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import type { Item, ItemBatch, ItemDims } from "./dataset.js";

const dims: ItemDims = ["timestep", "lat", "lon", "features"];

/**
 * Checks the parts of a sample against each other and returns them as one.
 * @throws DataError when dimensions, features or spatial sizes of inputs, outputs and forcing do not fit together
 */
export function createItem(parts: Item): Item {
  const { inputs, outputs, forcing, times } = parts;
  for (const [label, part] of [
    ["inputs", inputs],
    ["outputs", outputs],
    ["forcing", forcing],
  ] as const) {
    if (part.names.join() !== dims.join()) {
      throw new DataError(`${label} have dimensions (${part.names.join(", ")}), expected (${dims.join(", ")})`);
    }
    for (const name of ["lat", "lon"] as const) {
      if (part.dimSize(name) !== inputs.dimSize(name)) {
        throw new DataError(
          `${label} have ${part.dimSize(name)} points along "${name}", inputs ${inputs.dimSize(name)}`,
        );
      }
    }
  }
  const first = outputs.featureNames.slice(0, inputs.featureNames.length);
  if (inputs.featureNames.join() !== first.join()) {
    throw new DataError(
      `inputs have features (${inputs.featureNames.join(", ")}), outputs (${outputs.featureNames.join(", ")}), which must begin with them`,
    );
  }
  const steps = outputs.dimSize("timestep");
  if (forcing.dimSize("timestep") !== steps) {
    throw new DataError(`forcing has ${forcing.dimSize("timestep")} time steps, outputs ${steps}`);
  }
  if (times.inputs.length !== inputs.dimSize("timestep") || times.outputs.length !== steps) {
    throw new DataError(
      `${times.inputs.length} + ${times.outputs.length} times for ${inputs.dimSize("timestep")} + ${steps} time steps`,
    );
  }
  return parts;
}

/** Stacks samples along a leading `batch` dimension (copies). @throws DataError for no samples, or samples that differ in shape or features */
export function collate(items: readonly Item[]): ItemBatch {
  const [first] = items;
  if (!first) throw new DataError("cannot make a batch of no samples");
  const stack = (part: (item: Item) => NamedTensor) => NamedTensor.stack(items.map(part), "batch", 0) as NamedTensor;
  const optional = (part: (item: Item) => NamedTensor | undefined) =>
    items.every((item) => part(item) !== undefined) ? stack((item) => part(item)!) : undefined;
  const optionalParts = {
    initialForcing: optional((item) => item.initialForcing),
    mask: optional((item) => item.mask),
    inputMask: optional((item) => item.inputMask),
    forcingMask: optional((item) => item.forcingMask),
  };
  return {
    inputs: stack((item) => item.inputs),
    outputs: stack((item) => item.outputs),
    forcing: stack((item) => item.forcing),
    times: { inputs: items.map((item) => item.times.inputs), outputs: items.map((item) => item.times.outputs) },
    ...Object.fromEntries(Object.entries(optionalParts).filter(([, part]) => part !== undefined)),
    batchSize: items.length,
    numInputSteps: first.inputs.dimSize("timestep"),
    numPredSteps: first.outputs.dimSize("timestep"),
  };
}

/** The tensors of a sample or a batch. */
function partsOf(sample: Item | ItemBatch): (NamedTensor | undefined)[] {
  const { inputs, outputs, forcing, initialForcing, mask, inputMask, forcingMask } = sample;
  return [inputs, outputs, forcing, initialForcing, mask, inputMask, forcingMask];
}

/** Frees the tensors of a sample. */
export function disposeItem(item: Item): void {
  for (const part of partsOf(item)) part?.dispose();
}

/** Frees the tensors of a batch. */
export function disposeBatch(batch: ItemBatch): void {
  for (const part of partsOf(batch)) part?.dispose();
}

/** The parts of a sample as tables of features with their range. */
export function describeItem(item: Item): string {
  return [`inputs: ${item.inputs}`, `outputs: ${item.outputs}`, `forcing: ${item.forcing}`].join("\n");
}
