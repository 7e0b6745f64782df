// Ensembles in training: every sample goes through the network several times side by side, as more samples of one batch. Members
// differ by noise on the initial states, and by what is random in the network itself (dropout).

import * as torch from "@foehn/torch";
import type { ItemBatch } from "../datasets/dataset.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { type Loss, MEMBER } from "./losses/loss.js";
import { type RolloutContext, rollout } from "./rollout.js";

/** How members are made. */
export interface Ensemble {
  readonly size: number;
  /** Standard deviation of the noise on normalised input states. */
  readonly noise: number;
}

/** The batch with every sample `size` times, members of a sample together. The caller owns the new tensors (use a scope). */
export function withMembers(batch: ItemBatch, { size, noise }: Ensemble): ItemBatch {
  if (size === 1) return batch;
  const repeat = (part: NamedTensor, key: string) => {
    const repeated = part.tensor.repeatInterleave(size, { dim: 0 });
    const isPerturbed = key === "inputs" && noise > 0;
    const tensor = isPerturbed ? repeated.add(torch.randnLike(repeated), { alpha: noise }) : repeated;
    return new NamedTensor(tensor, part.names, part.featureNames, { featureDimName: part.featureDimName });
  };
  const times = (lists: ItemBatch["times"]["inputs"]) => lists.flatMap((list) => new Array(size).fill(list));
  const parts = Object.entries(batch).map(([key, part]) => [
    key,
    part instanceof NamedTensor ? repeat(part, key) : part,
  ]);
  return {
    ...(Object.fromEntries(parts) as ItemBatch),
    times: { inputs: times(batch.times.inputs), outputs: times(batch.times.outputs) },
    batchSize: batch.batchSize * size,
  };
}

/** The prediction of such a batch with its members in a dimension of their own: (B, member, T, H, W, F). */
export function splitMembers(prediction: NamedTensor, size: number): NamedTensor {
  if (size === 1) return prediction;
  const [all, ...rest] = prediction.shape as [number, ...number[]];
  const [batch, ...names] = prediction.names;
  return new NamedTensor(
    prediction.tensor.reshape([all / size, size, ...rest]),
    [batch!, MEMBER, ...names],
    prediction.featureNames,
  );
}

/** Predicts with all members: (B, member, T, H, W, F), or (B, T, H, W, F) for an ensemble of one. */
export function predictMembers(context: RolloutContext, batch: ItemBatch, ensemble: Ensemble): NamedTensor {
  return splitMembers(rollout(context, withMembers(batch, ensemble)), ensemble.size);
}

/** A loss for a batch that `withMembers` made: compares members with the target of their sample. The loss stays the caller's. */
export function lossOfMembers(loss: Loss, size: number): Loss {
  if (size === 1) return loss;
  const first = (tensor: torch.Tensor) => tensor.reshape([-1, size, ...tensor.shape.slice(1)]).select(1, 0);
  return {
    forward(prediction, target, mask) {
      const one = new NamedTensor(first(target.tensor), target.names, target.featureNames);
      return loss.forward(splitMembers(prediction, size), one, mask && first(mask));
    },
    dispose() {},
  };
}
