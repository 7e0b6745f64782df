// What NamedTensors check of names, positions and each other, with the errors that say what is wrong.

import { DataError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { NamedTensor } from "./named-tensor.js";

/** Equal entries in the same order. */
export function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** @throws DataError when a name comes twice */
export function refuseDuplicates(kind: string, names: readonly string[]): void {
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) throw new DataError(`${kind} name "${twice[0]}" comes twice in (${names.join(", ")})`);
}

/** The error for a name that is not there, with the nearest one that is. */
export function noSuch(kind: string, name: string, known: readonly string[]): DataError {
  const hint = didYouMean(name, known);
  return new DataError(`no ${kind} "${name}" in (${known.join(", ")})`, hint ? { hint } : {});
}

/** The error for an operation that the features' dimension does not allow. */
export function notFeatures(nt: NamedTensor, verb: string, hint?: string): DataError {
  return new DataError(
    `cannot ${verb} "${nt.featureDimName}": it holds the features`,
    hint === undefined ? {} : { hint },
  );
}

/** An index from the front for one that may count from the end. @throws DataError outside the dimension */
export function indexInside(nt: NamedTensor, name: string, i: number): number {
  const size = nt.dimSize(name);
  const position = i < 0 ? i + size : i;
  if (!Number.isInteger(position) || position < 0 || position >= size) {
    throw new DataError(`index ${i} is outside dimension "${name}" of size ${size}`);
  }
  return position;
}

/** @throws DataError when dimensions or feature dimensions have different names */
export function requireSameFrame(a: NamedTensor, b: NamedTensor, verb: string): void {
  if (!sameList(a.names, b.names)) {
    throw new DataError(`cannot ${verb} tensors with dimensions (${a.names.join(", ")}) and (${b.names.join(", ")})`);
  }
  if (a.featureDimName !== b.featureDimName) {
    throw new DataError(`cannot ${verb} tensors whose features are on "${a.featureDimName}" and "${b.featureDimName}"`);
  }
}

/** @throws DataError when the features are others, or in another order */
export function requireSameFeatures(a: NamedTensor, b: NamedTensor, verb: string): void {
  if (!sameList(a.featureNames, b.featureNames)) {
    throw new DataError(
      `cannot ${verb} tensors with features (${a.featureNames.join(", ")}) and (${b.featureNames.join(", ")})`,
    );
  }
}
