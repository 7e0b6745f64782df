// Changes of a NamedTensor's dimensions: the new tensor and its names. The features keep their place among the names, so whoever asks
// wraps the result again. What the types say of the new names is in dims.ts.

import type { Tensor } from "@foehn/torch";
import { DataError } from "../core/errors.js";
import { noSuch, notFeatures, refuseDuplicates, sameList } from "./checks.js";
import type { NamedTensor } from "./named-tensor.js";

/** A tensor and the names of its dimensions. */
export interface Named {
  readonly tensor: Tensor;
  readonly names: readonly string[];
}

/** Joins the dimensions from `start` to `end`; without them all but the features. See `NamedTensor.flatten`. */
export function flatten(nt: NamedTensor, name: string, start?: string | number, end?: string | number): Named {
  const { featureDimIndex: axis, ndim, names, shape } = nt;
  const first = start === undefined ? (axis === 0 ? 1 : 0) : positionOf(nt, start);
  const last = end === undefined ? (axis === ndim - 1 ? axis - 1 : ndim - 1) : positionOf(nt, end);
  if (last < first) throw new DataError(`cannot flatten from "${names[first]}" back to "${names[last]}"`);
  if (axis >= first && axis <= last) throw notFeatures(nt, "flatten");
  const size = shape.slice(first, last + 1).reduce((a, b) => a * b, 1);
  return {
    tensor: nt.tensor.reshape(shape.toSpliced(first, last + 1 - first, size)),
    names: names.toSpliced(first, last + 1 - first, name),
  };
}

/** Splits a dimension. See `NamedTensor.unflatten`. */
export function unflatten(nt: NamedTensor, name: string, sizes: readonly number[], names: readonly string[]): Named {
  const index = nt.dimIndex(name);
  if (index === nt.featureDimIndex) throw notFeatures(nt, "unflatten");
  const size = nt.dimSize(name);
  if (sizes.length !== names.length) {
    throw new DataError(`${sizes.length} sizes (${sizes.join(", ")}) for ${names.length} names (${names.join(", ")})`);
  }
  if (sizes.reduce((a, b) => a * b, 1) !== size) {
    throw new DataError(`sizes ${sizes.join(" × ")} do not make ${size}, the size of "${name}"`);
  }
  return {
    tensor: nt.tensor.reshape(nt.shape.toSpliced(index, 1, ...sizes)),
    names: nt.names.toSpliced(index, 1, ...names),
  };
}

/** Removes dimensions of size 1. See `NamedTensor.squeeze`. */
export function squeeze(nt: NamedTensor, names: readonly string[]): Named {
  const indices = names.map((name) => {
    const index = nt.dimIndex(name);
    if (index === nt.featureDimIndex) throw notFeatures(nt, "squeeze");
    if (nt.shape[index] !== 1) throw new DataError(`cannot squeeze "${name}": its size is ${nt.shape[index]}, not 1`);
    return index;
  });
  refuseDuplicates("dimension", names);
  const keep = (_: unknown, i: number) => !indices.includes(i);
  return { tensor: nt.tensor.reshape(nt.shape.filter(keep)), names: nt.names.filter(keep) };
}

/** Adds a dimension of size 1. See `NamedTensor.unsqueeze`. */
export function unsqueeze(nt: NamedTensor, name: string, index: number): Named {
  const position = index < 0 ? index + nt.ndim + 1 : index;
  if (!Number.isInteger(position) || position < 0 || position > nt.ndim) {
    throw new DataError(`cannot insert "${name}" at ${index}: the tensor has ${nt.ndim} dimensions`);
  }
  return { tensor: nt.tensor.unsqueeze(position), names: nt.names.toSpliced(position, 0, name) };
}

/** Adds the spatial dimensions that only `other` has. See `NamedTensor.unsqueezeAndExpandFrom`. */
export function unsqueezeAndExpandFrom(nt: NamedTensor, other: NamedTensor): Named {
  let tensor = nt.tensor;
  const names: string[] = [...nt.names];
  const shape = [...nt.shape];
  for (const index of other.spatialDimIndices) {
    const name = other.names[index]!;
    if (names.includes(name)) continue;
    if (index > names.length) {
      throw new DataError(`cannot place "${name}" at position ${index} of (${names.join(", ")})`, {
        hint: "the other tensor has leading dimensions that this one lacks",
      });
    }
    names.splice(index, 0, name);
    shape.splice(index, 0, other.shape[index]!);
    tensor = tensor.unsqueeze(index);
  }
  return { tensor: tensor.expand(shape), names };
}

/** Reorders the dimensions by `"a b -> b a"`. See `NamedTensor.rearrange`. */
export function rearrange(nt: NamedTensor, pattern: string): Named {
  const sides = pattern.split("->").map((side) => side.trim().split(/\s+/).filter(Boolean));
  const [left, right] = sides;
  if (sides.length !== 2 || !left || !right) throw new DataError(`cannot read "${pattern}"; expected "a b -> b a"`);
  if (!sameList(left, nt.names)) {
    throw new DataError(`"${pattern}" starts from (${left.join(", ")}), but the tensor has (${nt.names.join(", ")})`);
  }
  refuseDuplicates("dimension", right);
  for (const name of right) if (!left.includes(name)) throw noSuch("dimension", name, nt.names);
  const lost = left.filter((name) => !right.includes(name));
  if (lost.length > 0) throw new DataError(`"${pattern}" drops ${lost.join(", ")}; rearrange only reorders`);
  return { tensor: nt.tensor.permute(right.map((name) => nt.names.indexOf(name))), names: right };
}

function positionOf(nt: NamedTensor, dim: string | number): number {
  if (typeof dim === "string") return nt.dimIndex(dim);
  const position = dim < 0 ? dim + nt.ndim : dim;
  if (!Number.isInteger(position) || position < 0 || position >= nt.ndim) {
    throw new DataError(`no dimension ${dim}: the tensor has ${nt.ndim} (${nt.names.join(", ")})`);
  }
  return position;
}
