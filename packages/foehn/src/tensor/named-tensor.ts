// A tensor whose dimensions and features have names, so that no code asks "was axis 2 latitude?". One axis holds the features
// (physical fields); the others are batch, time, space. Every operation returns a new NamedTensor (a view where the tensor
// operation is one) with its own names and its own type; nothing changes in place and nothing is cached.
// Here: what it is, and picking out of it. Changes of dimensions are in reshape.ts, several made into one in combine.ts.
// The idea and the member list follow py4cast's and mfai's NamedTensor. Not here: coordinates, units, lazy evaluation.

import type { Device, DType, Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError } from "../core/errors.js";
import {
  indexInside,
  noSuch,
  notFeatures,
  refuseDuplicates,
  requireSameFeatures,
  requireSameFrame,
  sameList,
} from "./checks.js";
import * as combine from "./combine.js";
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
import * as shapes from "./reshape.js";

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
    return this.#with({ tensor: this.#pick(this.featureDimIndex, indices), names: this.names }, names);
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
    return this.#with(shapes.flatten(this, name, start, end)) as NamedTensor;
  }

  /** Splits a dimension into several. @throws DataError when the sizes do not multiply to its size; features cannot be split */
  unflatten<S extends Dims, N extends S[number], const M extends Dims>(
    this: NamedTensor<S>,
    name: N,
    sizes: readonly number[],
    names: M,
  ): NamedTensor<Unflattened<S, N, M>> {
    return this.#with(shapes.unflatten(this, name, sizes, names)) as NamedTensor<never>;
  }

  /** Removes dimensions of size 1. @throws DataError when one is larger or holds the features */
  squeeze<S extends Dims, const L extends readonly S[number][]>(
    this: NamedTensor<S>,
    ...names: L
  ): NamedTensor<WithoutAll<S, L>> {
    return this.#with(shapes.squeeze(this, names)) as NamedTensor<never>;
  }

  /** Adds a dimension of size 1 before position `index` (negative counts from behind the last). */
  unsqueeze<S extends Dims, const N extends string, const I extends number>(
    this: NamedTensor<S>,
    name: N,
    index: I,
  ): NamedTensor<InsertAt<S, N, I>> {
    return this.#with(shapes.unsqueeze(this, name, index)) as NamedTensor<never>;
  }

  /**
   * Adds the spatial dimensions that `other` has and this lacks, where `other` has them, as expanded views (no copy).
   * @throws DataError when the result would not fit its rank
   */
  unsqueezeAndExpandFrom<S extends Dims, E extends Dims>(
    this: NamedTensor<S>,
    other: NamedTensor<E>,
  ): NamedTensor<ExpandedFrom<S, E>> {
    return this.#with(shapes.unsqueezeAndExpandFrom(this, other)) as NamedTensor<never>;
  }

  /** Entry `i` along a dimension, without that dimension (negative counts from the end). @throws DataError for features: use `feature` */
  selectDim<S extends Dims, N extends S[number]>(this: NamedTensor<S>, name: N, i: number): NamedTensor<Without<S, N>> {
    const index = this.dimIndex(name);
    if (index === this.featureDimIndex) throw notFeatures(this, "selectDim", "use feature(name) or selectTensorDim");
    const names = this.names.filter((n) => n !== name);
    return this.#with({ tensor: this.selectTensorDim(name, i), names }) as NamedTensor<never>;
  }

  /** Entry `i` along any dimension, as a bare tensor. */
  selectTensorDim(name: D[number], i: number): Tensor {
    return this.tensor.select(this.dimIndex(name), indexInside(this, name, i));
  }

  /** The entries at `indices` along a dimension, in that order; along the features their names follow. */
  indexSelectDim(name: D[number], indices: readonly number[]): NamedTensor<D> {
    const index = this.dimIndex(name);
    const positions = indices.map((i) => indexInside(this, name, i));
    const features = index === this.featureDimIndex ? positions.map((i) => this.featureNames[i]!) : this.featureNames;
    return this.#with({ tensor: this.#pick(index, positions), names: this.names }, features);
  }

  /** The entries at `indices` along any dimension, as a bare tensor. */
  indexSelectTensorDim(name: D[number], indices: readonly number[]): Tensor {
    return this.#pick(
      this.dimIndex(name),
      indices.map((i) => indexInside(this, name, i)),
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
    return this.#with({ tensor: this.tensor.narrow(index, from, to - from), names: this.names }, features);
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
    return this.#with(shapes.rearrange(this, pattern)) as NamedTensor<never>;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Elementwise sum with a number, a broadcastable tensor, or a NamedTensor of the same names and features. */
  add(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.withTensor(this.tensor.add(this.#operand(other) as never));
  }

  /** Elementwise difference, operands as in `add`. */
  sub(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.withTensor(this.tensor.sub(this.#operand(other) as never));
  }

  /** Elementwise product, operands as in `add`. */
  mul(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.withTensor(this.tensor.mul(this.#operand(other) as never));
  }

  /** Elementwise quotient, operands as in `add`. */
  div(other: number | Tensor | NamedTensor): NamedTensor<D> {
    return this.withTensor(this.tensor.div(this.#operand(other) as never));
  }

  /** The same names around another tensor of the same rank and number of features. */
  withTensor(tensor: Tensor): NamedTensor<D> {
    return this.#with({ tensor, names: this.names });
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
    return other.#with({ tensor, names: ["batch", ...other.names] });
  }

  /**
   * All features of several tensors on the same dimensions, in order. One tensor gives a copy.
   * @throws DataError for an empty list, a feature that comes twice, or different dimensions or sizes
   */
  static concat<D extends Dims>(list: readonly NamedTensor<D>[]): NamedTensor<D> {
    const [first] = list;
    if (!first) throw new DataError("cannot concatenate an empty list of NamedTensors");
    if (list.length === 1) return first.clone();
    const { tensor, features } = combine.concatFeatures(list);
    return first.#with({ tensor, names: first.names }, features);
  }

  /** Stacks tensors of equal names, features and shape along a new dimension `name` at position `dim`. */
  static stack<D extends Dims, const N extends string, const I extends number = 0>(
    list: readonly NamedTensor<D>[],
    name: N,
    dim: I = 0 as I,
  ): NamedTensor<InsertAt<D, N, I>> {
    const [first] = list;
    if (!first) throw new DataError("cannot stack an empty list of NamedTensors");
    return first.#with(combine.stack(list, name, dim)) as NamedTensor<never>;
  }

  /**
   * Stacks samples along a new leading `batch`. Dimensions in `padDims` may differ between samples: shorter ones are filled at
   * their end with `padValue` (default 0).
   */
  static collate<D extends Dims>(
    samples: readonly NamedTensor<D>[],
    options: { readonly padDims?: readonly D[number][]; readonly padValue?: number } = {},
  ): NamedTensor<readonly ["batch", ...D]> {
    if (samples.length === 0) throw new DataError("cannot collate an empty list of NamedTensors");
    const { padDims = [], padValue = 0 } = options;
    return NamedTensor.stack(combine.padded(samples, padDims, padValue), "batch") as NamedTensor<never>;
  }

  // ---- inside -----------------------------------------------------------------------------------------------------

  /** The result of an operation; the features are the same unless it changed them. */
  #with<const E extends Dims>(
    { tensor, names }: { tensor: Tensor; names: E },
    features = this.featureNames,
  ): NamedTensor<E> {
    return new NamedTensor(tensor, names, features, { featureDimName: this.featureDimName });
  }

  #pick(axis: number, positions: readonly number[]): Tensor {
    // Indices are int64 from start to end: a float detour breaks beyond 2^24.
    const index = torch.tensor(BigInt64Array.from(positions, BigInt), { device: this.device });
    return this.tensor.indexSelect(axis, index);
  }

  #operand(other: number | Tensor | NamedTensor): number | Tensor {
    if (!(other instanceof NamedTensor)) return other;
    requireSameFrame(this, other, "combine");
    requireSameFeatures(this, other, "combine");
    return other.tensor;
  }
}
