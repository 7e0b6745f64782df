// One tensor out of several NamedTensors. What must be equal is checked first.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError } from "../core/errors.js";
import { requireSameFeatures, requireSameFrame, sameList } from "./checks.js";
import type { NamedTensor } from "./named-tensor.js";
import type { Named } from "./reshape.js";

/** The features of all, in order. See `NamedTensor.concat`. */
export function concatFeatures(list: readonly NamedTensor[]): { tensor: Tensor; features: string[] } {
  const first = list[0]!;
  const axis = first.featureDimIndex;
  const features: string[] = [];
  for (const item of list) {
    requireSameFrame(first, item, "concatenate");
    const shared = item.featureNames.filter((name) => features.includes(name));
    if (shared.length > 0)
      throw new DataError(`cannot concatenate: feature ${shared.join(", ")} is in more than one tensor`);
    features.push(...item.featureNames);
    const differs = item.names.find((_, i) => i !== axis && item.shape[i] !== first.shape[i]);
    if (differs !== undefined) {
      const [a, b] = [first.dimSize(differs), item.dimSize(differs)];
      throw new DataError(`cannot concatenate: "${differs}" has size ${a} in one tensor and ${b} in another`);
    }
  }
  const tensors = list.map((item) => item.tensor);
  return { tensor: torch.cat(tensors, { dim: axis }), features };
}

/** Stacks along a new dimension. See `NamedTensor.stack`. */
export function stack(list: readonly NamedTensor[], name: string, dim: number): Named {
  const first = list[0]!;
  for (const item of list) {
    requireSameFrame(first, item, "stack");
    requireSameFeatures(first, item, "stack");
    if (!sameList(first.shape, item.shape)) {
      throw new DataError(`cannot stack shapes (${first.shape.join(", ")}) and (${item.shape.join(", ")})`);
    }
  }
  const position = dim < 0 ? dim + first.ndim + 1 : dim;
  if (!Number.isInteger(position) || position < 0 || position > first.ndim) {
    throw new DataError(`cannot stack along position ${dim} of ${first.ndim + 1} dimensions`);
  }
  const tensors = list.map((item) => item.tensor);
  return { tensor: torch.stack(tensors, { dim: position }), names: first.names.toSpliced(position, 0, name) };
}

/** Samples of one size: shorter ones are filled at the end of `padDims`. See `NamedTensor.collate`. */
export function padded<D extends readonly string[]>(
  samples: readonly NamedTensor<D>[],
  padDims: readonly string[],
  padValue: number,
): NamedTensor<D>[] {
  const first: NamedTensor = samples[0]!;
  const sizes = [...first.shape];
  for (const name of padDims) {
    const axis = first.dimIndex(name);
    if (axis === first.featureDimIndex) throw new DataError(`cannot pad "${name}": it holds the features`);
    sizes[axis] = Math.max(...samples.map((sample) => sample.shape[axis] ?? 0));
  }
  return samples.map((sample) => {
    requireSameFrame(first, sample, "collate");
    const missing = sample.names.map((name, i) => (padDims.includes(name) ? sizes[i]! - sample.shape[i]! : 0));
    if (missing.every((count) => count === 0)) return sample;
    // The operator wants (before, after) pairs, last dimension first.
    const pairs = missing.reverse().flatMap((count) => [0, count]);
    return sample.withTensor(torch.aten("constant_pad_nd", sample.tensor, pairs, padValue) as Tensor);
  });
}
