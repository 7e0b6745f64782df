// A batch on the device of the network. Batches come out of the loader outside any scope, so somebody has to own and free
// them: the training and validation loops, through these two functions.

import { disposeBatch, type ItemBatch } from "../datasets/dataset.js";
import { NamedTensor } from "../tensor/named-tensor.js";

/** The batch with its tensors on a device; what had to be copied is freed at the old place. */
export function moveBatch(batch: ItemBatch, device: string): ItemBatch {
  if (batch.inputs.device === device) return batch;
  const move = (part: NamedTensor) =>
    new NamedTensor(part.tensor.to(device), part.names, part.featureNames, { featureDimName: part.featureDimName });
  const moved: ItemBatch = {
    ...batch,
    inputs: move(batch.inputs),
    outputs: move(batch.outputs),
    forcing: move(batch.forcing),
    ...(batch.initialForcing && { initialForcing: move(batch.initialForcing) }),
    ...(batch.mask && { mask: move(batch.mask) }),
    ...(batch.inputMask && { inputMask: move(batch.inputMask) }),
    ...(batch.forcingMask && { forcingMask: move(batch.forcingMask) }),
  };
  disposeBatch(batch);
  return moved;
}

export { disposeBatch };
