// A tensor whose dimensions and features have names, so that no code asks "was axis 2 latitude?". One axis holds the features
// (physical fields); the others are batch, time, space. Every operation returns a new NamedTensor (a view where the tensor
// operation is one) with its own names and its own type; nothing changes in place and nothing is cached.
// One long file because it is one class whose members share private state.
// The idea and the member list follow py4cast's and mfai's NamedTensor. Not here: coordinates, units, lazy evaluation.

import type { Device, DType, Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { describeNamedTensor } from "./describe.js";
import {
  type Dims,
  type ExpandedFrom,
  type Flattened,
  type InsertAt,
  type Pattern,
  type Rearranged,
  type SameDims,
  spatialDimNames,
  type Unflattened,
  type Without,
  type WithoutAll,
} from "./dims.js";

/** Options of the constructor. */
export interface NamedTensorOptions {
  /** Which dimension holds the features. Default `features`. */
  readonly featureDimName?: string;
}

/** What `to` accepts: a dtype, a device, or both. */
export type ToTarget = DType | Device | { readonly dtype?: DType; readonly device?: Device };

/** A tensor with named dimensions `D` and named features. Immutable: the tensor's values may change, its names never do. */
export class NamedTensor<const out D extends Dims = Dims> {
  /** Dimension names that are horizontal space. */
  static readonly spatialDimNames: Dims = spatialDimNames;

  readonly tensor: Tensor;
  readonly names: D;
  readonly featureNames: readonly string[];
  readonly featureDimName: string;
  readonly #featureIndex: ReadonlyMap<string, number>;

  /**
   * @param names one name per dimension, all different
   * @param featureNames one name per entry of the feature dimension, all different
   * @throws DataError when the counts do not fit the tensor, or a name comes twice
   */
  constructor(tensor: Tensor, names: D, featureNames: readonly string[], options: NamedTensorOptions = {}) {
    const featureDimName = options.featureDimName ?? "features";
    const shape = tensor.shape;
    if (names.length !== shape.length) {
      throw new DataError(`${names.length} names (${names.join(", ")}) for a tensor of shape (${shape.join(", ")})`, {
        hint: "give one name per dimension",
      });
    }
    refuseDuplicates("dimension", names);
    refuseDuplicates("feature", featureNames);
    const axis = names.indexOf(featureDimName);
    if (axis < 0) throw noSuch("feature dimension", featureDimName, names);
    if (shape[axis] !== featureNames.length) {
      throw new DataError(
        `${featureNames.length} feature names for a dimension "${featureDimName}" of size ${shape[axis]}`,
        { where: `tensor (${names.join(", ")}) of shape (${shape.join(", ")})` },
      );
    }
    this.tensor = tensor;
    this.names = Object.freeze([...names]) as unknown as D;
    this.featureNames = Object.freeze([...featureNames]);
    this.featureDimName = featureDimName;
    this.#featureIndex = new Map(featureNames.map((name, i) => [name, i]));
  }

  // ---- what it is -------------------------------------------------------------------------------------------------

  get shape(): number[] {
    return this.tensor.shape;
  }

  get ndim(): number {
    return this.names.length;
  }

  get dtype(): DType {
    return this.tensor.dtype;
  }

  get device(): Device {
    return this.tensor.device;
  }

  /** Number of horizontal dimensions: 2 on a grid, 1 when flattened, 0 without space. */
  get numSpatialDims(): number {
    return this.spatialDimIndices.length;
  }

  /** Positions of the horizontal dimensions, ascending. */
  get spatialDimIndices(): number[] {
    return [...this.names.keys()].filter((i) => NamedTensor.spatialDimNames.includes(this.names[i]!));
  }

  /** Position of the feature dimension. */
  get featureDimIndex(): number {
    return this.names.indexOf(this.featureDimName);
  }

  /** Position of a dimension. @throws DataError for an unknown name */
  dimIndex(name: D[number]): number {
    const index = this.names.indexOf(name);
    if (index < 0) throw noSuch("dimension", name, this.names);
    return index;
  }

  /** Size of a dimension. @throws DataError for an unknown name */
  dimSize(name: D[number]): number {
    return this.tensor.shape[this.dimIndex(name)]!;
  }

  hasFeature(name: string): boolean {
    return this.#featureIndex.has(name);
  }

  /** Position of a feature on the feature dimension. @throws DataError for an unknown name */
  featureIndex(name: string): number {
    const index = this.#featureIndex.get(name);
    if (index === undefined) throw noSuch("feature", name, this.featureNames);
    return index;
  }

  /** Same names, features, shape and values (NaN differs from NaN). */
  equals(other: NamedTensor): boolean {
    return (
      sameList(this.names, other.names) &&
      sameList(this.featureNames, other.featureNames) &&
      this.featureDimName === other.featureDimName &&
      sameList(this.shape, other.shape) &&
      torch.equal(this.tensor, other.tensor)
    );
  }

  /** Table of the features with minimum and maximum (NaN left out and counted). Reads every value. */
  toString(): string {
    return describeNamedTensor(this);
  }

  // ---- features ---------------------------------------------------------------------------------------------------

  /** One feature as a bare tensor: a view whose feature dimension has size 1. @throws DataError for an unknown name */
  feature(name: string): Tensor {
    return this.tensor.narrow(this.featureDimIndex, this.featureIndex(name), 1);
  }

  /** The named features in the order asked. @throws DataError for an unknown or repeated name */
  features(names: readonly string[]): NamedTensor<D> {
    const indices = names.map((name) => this.featureIndex(name));
    return this.#with(this.#pick(this.featureDimIndex, indices), this.names, names);
  }

  /**
   * Both sets of features, this one's first. `undefined` gives this tensor itself.
   * @throws DataError when dimensions, sizes or feature dimensions differ or a feature is in both
   */
  concat(other: undefined): this;
  // The dimensions are taken from `this` parameters, not from the class: comparing D with E inside would make D invariant.
  concat<S extends Dims, E extends Dims>(this: NamedTensor<S>, other: NamedTensor<E> & SameDims<S, E>): NamedTensor<S>;
  concat<S extends Dims, E extends Dims>(
    this: NamedTensor<S>,
    other: (NamedTensor<E> & SameDims<S, E>) | undefined,
  ): NamedTensor<S>;
  concat(other: NamedTensor | undefined): NamedTensor {
    if (other === undefined) return this;
    if (!(other instanceof NamedTensor)) throw new DataError(`cannot concatenate a NamedTensor with ${typeof other}`);
    return NamedTensor.concat<Dims>([this, other]);
  }

  // ---- dimensions -------------------------------------------------------------------------------------------------

  /**
   * Joins the neighbouring dimensions from `start` to `end` (names or positions, both included) into one. Without them: every
   * dimension but the features.
   * @throws DataError when the range is reversed or contains the features, or `name` is taken
   */
  flatten<S extends Dims, const N extends string, A extends S[number] | number, B extends S[number] | number>(
    this: NamedTensor<S>,
    name: N,
    start: A,
    end: B,
  ): NamedTensor<Flattened<S, N, A, B>>;
  flatten(name: string): NamedTensor;
  flatten(name: string, start?: string | number, end?: string | number): NamedTensor {
    const axis = this.featureDimIndex;
    const first = start === undefined ? (axis === 0 ? 1 : 0) : this.#position(start);
    const last = end === undefined ? (axis === this.ndim - 1 ? axis - 1 : this.ndim - 1) : this.#position(end);
    if (last < first) throw new DataError(`cannot flatten from "${this.names[first]}" back to "${this.names[last]}"`);
    if (axis >= first && axis <= last) throw this.#notFeatures("flatten");
    const shape = this.shape;
    const size = shape.slice(first, last + 1).reduce((a, b) => a * b, 1);
    return this.#with(
      this.tensor.reshape([...shape.slice(0, first), size, ...shape.slice(last + 1)]),
      [...this.names.slice(0, first), name, ...this.names.slice(last + 1)],
      this.featureNames,
    );
  }

  /** Splits a dimension into several. @throws DataError when the sizes do not multiply to its size; features cannot be split */
  unflatten<S extends Dims, N extends S[number], const M extends Dims>(
    this: NamedTensor<S>,
    name: N,
    sizes: readonly number[],
    names: M,
  ): NamedTensor<Unflattened<S, N, M>> {
    const index = this.dimIndex(name);
    if (index === this.featureDimIndex) throw this.#notFeatures("unflatten");
    const size = this.dimSize(name);
    if (sizes.length !== names.length) {
      throw new DataError(
        `${sizes.length} sizes (${sizes.join(", ")}) for ${names.length} names (${names.join(", ")})`,
      );
    }
    if (sizes.reduce((a, b) => a * b, 1) !== size) {
      throw new DataError(`sizes ${sizes.join(" × ")} do not make ${size}, the size of "${name}"`);
    }
    const shape = this.shape;
    return this.#with(
      this.tensor.reshape([...shape.slice(0, index), ...sizes, ...shape.slice(index + 1)]),
      [...this.names.slice(0, index), ...names, ...this.names.slice(index + 1)],
      this.featureNames,
    ) as NamedTensor<never>;
  }

  /** Removes dimensions of size 1. @throws DataError when one is larger or holds the features */
  squeeze<S extends Dims, const L extends readonly S[number][]>(
    this: NamedTensor<S>,
    ...names: L
  ): NamedTensor<WithoutAll<S, L>> {
    const indices = names.map((name) => {
      const index = this.dimIndex(name);
      if (index === this.featureDimIndex) throw this.#notFeatures("squeeze");
      if (this.shape[index] !== 1)
        throw new DataError(`cannot squeeze "${name}": its size is ${this.shape[index]}, not 1`);
      return index;
    });
    refuseDuplicates("dimension", names);
    const keep = (_: unknown, i: number) => !indices.includes(i);
    return this.#with(
      this.tensor.reshape(this.shape.filter(keep)),
      this.names.filter(keep),
      this.featureNames,
    ) as NamedTensor<never>;
  }

  /** Adds a dimension of size 1 before position `index` (negative counts from behind the last). */
  unsqueeze<S extends Dims, const N extends string, const I extends number>(
    this: NamedTensor<S>,
    name: N,
    index: I,
  ): NamedTensor<InsertAt<S, N, I>> {
    const position = index < 0 ? index + this.ndim + 1 : index;
    if (!Number.isInteger(position) || position < 0 || position > this.ndim) {
      throw new DataError(`cannot insert "${name}" at ${index}: the tensor has ${this.ndim} dimensions`);
    }
    const names = [...this.names.slice(0, position), name, ...this.names.slice(position)];
    return this.#with(this.tensor.unsqueeze(position), names, this.featureNames) as NamedTensor<never>;
  }

  /**
   * Adds the spatial dimensions that `other` has and this lacks, where `other` has them, as expanded views (no copy).
   * @throws DataError when the result would not fit its rank
   */
  unsqueezeAndExpandFrom<S extends Dims, E extends Dims>(
    this: NamedTensor<S>,
    other: NamedTensor<E>,
  ): NamedTensor<ExpandedFrom<S, E>> {
    let tensor = this.tensor;
    const names: string[] = [...this.names];
    const shape = [...this.shape];
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
    return this.#with(tensor.expand(shape), names, this.featureNames) as NamedTensor<never>;
  }

  /** Entry `i` along a dimension, without that dimension (negative counts from the end). @throws DataError for features: use `feature` */
  selectDim<S extends Dims, N extends S[number]>(this: NamedTensor<S>, name: N, i: number): NamedTensor<Without<S, N>> {
    const index = this.dimIndex(name);
    if (index === this.featureDimIndex) throw this.#notFeatures("selectDim", "use feature(name) or selectTensorDim");
    const names = this.names.filter((n) => n !== name);
    return this.#with(this.selectTensorDim(name, i), names, this.featureNames) as NamedTensor<never>;
  }

  /** Entry `i` along any dimension, as a bare tensor. */
  selectTensorDim(name: D[number], i: number): Tensor {
    return this.tensor.select(this.dimIndex(name), this.#inRange(name, i));
  }

  /** The entries at `indices` along a dimension, in that order; along the features their names follow. */
  indexSelectDim(name: D[number], indices: readonly number[]): NamedTensor<D> {
    const index = this.dimIndex(name);
    const positions = indices.map((i) => this.#inRange(name, i));
    const features = index === this.featureDimIndex ? positions.map((i) => this.featureNames[i]!) : this.featureNames;
    return this.#with(this.#pick(index, positions), this.names, features);
  }

  /** The entries at `indices` along any dimension, as a bare tensor. */
  indexSelectTensorDim(name: D[number], indices: readonly number[]): Tensor {
    return this.#pick(
      this.dimIndex(name),
      indices.map((i) => this.#inRange(name, i)),
    );
  }

  /** The entries from `start` to before `end` along a dimension, as a view (negative counts from the end, like an array's slice). */
  slice(name: D[number], start: number, end?: number): NamedTensor<D> {
    const index = this.dimIndex(name);
    const size = this.shape[index]!;
    const bound = (i: number) => Math.min(size, Math.max(0, i < 0 ? i + size : i));
    const from = bound(start);
    const to = Math.max(from, bound(end ?? size));
    const features = index === this.featureDimIndex ? this.featureNames.slice(from, to) : this.featureNames;
    return this.#with(this.tensor.narrow(index, from, to - from), this.names, features);
  }

  /** Each entry along a dimension in turn. @throws DataError for features */
  *iterDim<S extends Dims, N extends S[number]>(this: NamedTensor<S>, name: N): Generator<NamedTensor<Without<S, N>>> {
    for (let i = 0; i < this.dimSize(name); i++) yield this.selectDim(name, i);
  }

  /** Each entry along any dimension as a bare tensor. */
  *iterTensorDim(name: D[number]): Generator<Tensor> {
    for (let i = 0; i < this.dimSize(name); i++) yield this.selectTensorDim(name, i);
  }

  /**
   * Reorders the dimensions: `nt.rearrange("batch lat lon features -> batch features lat lon")`. A view.
   * @throws DataError when the left side is not the names in order, or the right side not a permutation of them
   */
  rearrange<S extends Dims, const P extends string>(
    this: NamedTensor<S>,
    pattern: P & Pattern<S, P>,
  ): NamedTensor<Rearranged<P>> {
    const sides = pattern.split("->").map((side) => side.trim().split(/\s+/).filter(Boolean));
    const [left, right] = sides;
    if (sides.length !== 2 || !left || !right) throw new DataError(`cannot read "${pattern}"; expected "a b -> b a"`);
    if (!sameList(left, this.names)) {
      throw new DataError(
        `"${pattern}" starts from (${left.join(", ")}), but the tensor has (${this.names.join(", ")})`,
      );
    }
    refuseDuplicates("dimension", right);
    for (const name of right) if (!left.includes(name)) throw noSuch("dimension", name, this.names);
    const lost = left.filter((name) => !right.includes(name));
    if (lost.length > 0) throw new DataError(`"${pattern}" drops ${lost.join(", ")}; rearrange only reorders`);
    const order = right.map((name) => this.names.indexOf(name));
    return this.#with(this.tensor.permute(order), right, this.featureNames) as NamedTensor<never>;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Elementwise sum with a number, a broadcastable tensor, or a NamedTensor of the same names and features. */
  add(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.#arithmetic(other, (a, b) => a.add(b as never));
  }

  /** Elementwise difference, operands as in `add`. */
  sub(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.#arithmetic(other, (a, b) => a.sub(b as never));
  }

  /** Elementwise product, operands as in `add`. */
  mul(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.#arithmetic(other, (a, b) => a.mul(b as never));
  }

  /** Elementwise quotient, operands as in `add`. */
  div(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.#arithmetic(other, (a, b) => a.div(b as never));
  }

  /** The same names around another tensor of the same rank and number of features. */
  withTensor(tensor: Tensor): NamedTensor<D> {
    return this.#with(tensor, this.names, this.featureNames);
  }

  /** Copies the values; gradients flow through the copy. */
  clone(): NamedTensor<D> {
    return this.withTensor(this.tensor.clone());
  }

  /** The same values outside the autograd graph. */
  detach(): NamedTensor<D> {
    return this.withTensor(this.tensor.detach());
  }

  /** The same values in another dtype or on another device. */
  to(target: ToTarget): NamedTensor<D> {
    return this.withTensor(this.tensor.to(target));
  }

  /** The same values in another dtype. */
  type(dtype: DType): NamedTensor<D> {
    return this.to({ dtype });
  }

  /** The same values in page-locked memory, for fast copies to a GPU. @throws TorchError where there is none */
  pinMemory(): NamedTensor<D> {
    return this.withTensor(torch.aten("pin_memory", this.tensor) as Tensor);
  }

  /** Frees the tensor's memory now (a view keeps what it looks at alive until it is disposed too). */
  dispose(): void {
    this.tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What `torch.scope` must keep when this is returned from it. */
  [torch.tensorsOf](): Iterable<Tensor> {
    return [this.tensor];
  }

  // ---- making new ones --------------------------------------------------------------------------------------------

  /** A tensor with the names and features of `other`. @throws DataError when rank or number of features differ */
  static newLike<D extends Dims>(tensor: Tensor, other: NamedTensor<D>): NamedTensor<D> {
    return other.withTensor(tensor);
  }

  /** A tensor with one more leading dimension, named `batch`, then the names of `other`. */
  static expandToBatchLike<D extends Dims>(
    tensor: Tensor,
    other: NamedTensor<D>,
  ): NamedTensor<readonly ["batch", ...D]> {
    if (tensor.shape.length !== other.ndim + 1) {
      throw new DataError(
        `a batch of (${other.names.join(", ")}) has ${other.ndim + 1} dimensions, the tensor has shape (${tensor.shape.join(", ")})`,
      );
    }
    return new NamedTensor(tensor, ["batch", ...other.names], other.featureNames, other.#options());
  }

  /**
   * All features of several tensors on the same dimensions, in order. One tensor gives a copy.
   * @throws DataError for an empty list, a feature that comes twice, or different dimensions or sizes
   */
  static concat<D extends Dims>(list: readonly NamedTensor<D>[]): NamedTensor<D> {
    const [first] = list;
    if (!first) throw new DataError("cannot concatenate an empty list of NamedTensors");
    if (list.length === 1) return first.clone();
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
    const joined = torch.cat(
      list.map((item) => item.tensor),
      { dim: axis },
    );
    return new NamedTensor(joined, first.names, features, first.#options());
  }

  /** Stacks tensors of equal names, features and shape along a new dimension `name` at position `dim`. */
  static stack<D extends Dims, const N extends string, const I extends number = 0>(
    list: readonly NamedTensor<D>[],
    name: N,
    dim: I = 0 as I,
  ): NamedTensor<InsertAt<D, N, I>> {
    const [first] = list;
    if (!first) throw new DataError("cannot stack an empty list of NamedTensors");
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
    const names = [...first.names.slice(0, position), name, ...first.names.slice(position)];
    const stacked = torch.stack(
      list.map((item) => item.tensor),
      { dim: position },
    );
    return new NamedTensor(stacked, names, first.featureNames, first.#options()) as unknown as NamedTensor<
      InsertAt<D, N, I>
    >;
  }

  /**
   * Stacks samples along a new leading `batch`. Dimensions in `padDims` may differ between samples: shorter ones are filled at
   * their end with `padValue` (default 0).
   */
  static collate<D extends Dims>(
    samples: readonly NamedTensor<D>[],
    options: { readonly padDims?: readonly D[number][]; readonly padValue?: number } = {},
  ): NamedTensor<readonly ["batch", ...D]> {
    const [first] = samples;
    if (!first) throw new DataError("cannot collate an empty list of NamedTensors");
    const { padDims = [], padValue = 0 } = options;
    const sizes = [...first.shape];
    for (const name of padDims) {
      const axis = first.dimIndex(name);
      if (axis === first.featureDimIndex) throw new DataError(`cannot pad "${name}": it holds the features`);
      sizes[axis] = Math.max(...samples.map((sample) => sample.shape[axis] ?? 0));
    }
    const padded = samples.map((sample) => {
      requireSameFrame(first, sample, "collate");
      const missing = sample.names.map((name, i) => (padDims.includes(name) ? sizes[i]! - sample.shape[i]! : 0));
      if (missing.every((count) => count === 0)) return sample;
      // The operator wants (before, after) pairs, last dimension first.
      const pairs = missing.reverse().flatMap((count) => [0, count]);
      return sample.withTensor(torch.aten("constant_pad_nd", sample.tensor, pairs, padValue) as Tensor);
    });
    return NamedTensor.stack(padded, "batch", 0) as unknown as NamedTensor<readonly ["batch", ...D]>;
  }

  // ---- inside -----------------------------------------------------------------------------------------------------

  #options(): NamedTensorOptions {
    return { featureDimName: this.featureDimName };
  }

  #with<const E extends Dims>(tensor: Tensor, names: E, featureNames: readonly string[]): NamedTensor<E> {
    return new NamedTensor(tensor, names, featureNames, this.#options());
  }

  #pick(axis: number, positions: readonly number[]): Tensor {
    // Indices are int64 from start to end: a float detour breaks beyond 2^24.
    const index = torch.tensor(BigInt64Array.from(positions, BigInt), { device: this.device });
    return this.tensor.indexSelect(axis, index);
  }

  #position(dim: string | number): number {
    if (typeof dim === "string") return this.dimIndex(dim);
    const position = dim < 0 ? dim + this.ndim : dim;
    if (!Number.isInteger(position) || position < 0 || position >= this.ndim) {
      throw new DataError(`no dimension ${dim}: the tensor has ${this.ndim} (${this.names.join(", ")})`);
    }
    return position;
  }

  #inRange(name: D[number], i: number): number {
    const size = this.dimSize(name);
    const position = i < 0 ? i + size : i;
    if (!Number.isInteger(position) || position < 0 || position >= size) {
      throw new DataError(`index ${i} is outside dimension "${name}" of size ${size}`);
    }
    return position;
  }

  #notFeatures(verb: string, hint?: string): DataError {
    return new DataError(
      `cannot ${verb} "${this.featureDimName}": it holds the features`,
      hint === undefined ? {} : { hint },
    );
  }

  #arithmetic(other: number | Tensor | NamedTensor, op: (a: Tensor, b: Tensor | number) => Tensor): NamedTensor<D> {
    if (!(other instanceof NamedTensor)) return this.withTensor(op(this.tensor, other));
    requireSameFrame(this, other, "combine");
    requireSameFeatures(this, other, "combine");
    return this.withTensor(op(this.tensor, other.tensor));
  }
}

function requireSameFrame(a: NamedTensor, b: NamedTensor, verb: string): void {
  if (!sameList(a.names, b.names)) {
    throw new DataError(`cannot ${verb} tensors with dimensions (${a.names.join(", ")}) and (${b.names.join(", ")})`);
  }
  if (a.featureDimName !== b.featureDimName) {
    throw new DataError(`cannot ${verb} tensors whose features are on "${a.featureDimName}" and "${b.featureDimName}"`);
  }
}

function requireSameFeatures(a: NamedTensor, b: NamedTensor, verb: string): void {
  if (!sameList(a.featureNames, b.featureNames)) {
    throw new DataError(
      `cannot ${verb} tensors with features (${a.featureNames.join(", ")}) and (${b.featureNames.join(", ")})`,
    );
  }
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function refuseDuplicates(kind: string, names: readonly string[]): void {
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) throw new DataError(`${kind} name "${twice[0]}" comes twice in (${names.join(", ")})`);
}

function noSuch(kind: string, name: string, known: readonly string[]): DataError {
  return new DataError(`no ${kind} "${name}" in (${known.join(", ")})`, withHint(didYouMean(name, known)));
}

const withHint = (hint: string): { hint?: string } => (hint ? { hint } : {});
