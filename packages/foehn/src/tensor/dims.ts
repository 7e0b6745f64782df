// The type-level half of NamedTensor: how dimension names change when dimensions are removed, inserted, flattened or reordered.
// Every type falls back to `Dims` (names known at run time only) when a name or a position is not a literal.

/** Dimension names in order, slowest first. */
export type Dims = readonly string[];

/** The names that count as horizontal space. */
export const spatialDimNames = ["lat", "lon", "ngrid"] as const;

type Spatial = (typeof spatialDimNames)[number];

type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never;

/** True when the whole tuple of names is known to the compiler. */
type IsKnown<D extends Dims> = number extends D["length"] ? false : true;

/** True when one name is a single literal. */
type IsName<N extends string> = string extends N ? false : IsUnion<N> extends true ? false : true;

type Both<A extends boolean, B extends boolean> = A extends true ? B : false;

type Before<D extends Dims, N extends string> = D extends readonly [infer H extends string, ...infer R extends Dims]
  ? H extends N
    ? []
    : [H, ...Before<R, N>]
  : [];

type After<D extends Dims, N extends string> = D extends readonly [infer H extends string, ...infer R extends Dims]
  ? H extends N
    ? R
    : After<R, N>
  : [];

/** `D` without dimension `N`. */
export type Without<D extends Dims, N extends string> =
  Both<IsKnown<D>, IsName<N>> extends true ? readonly [...Before<D, N>, ...After<D, N>] : Dims;

/** `D` without each of the dimensions in `L`. */
export type WithoutAll<D extends Dims, L extends Dims> = L extends readonly [
  infer H extends string,
  ...infer R extends Dims,
]
  ? WithoutAll<Without<D, H>, R>
  : IsKnown<L> extends true
    ? D
    : Dims;

/** `D` with the dimensions from `S` to `E` replaced by `New`. */
export type Flattened<D extends Dims, New extends string, S, E> = S extends string
  ? E extends string
    ? Both<IsKnown<D>, Both<IsName<S>, IsName<E>>> extends true
      ? readonly [...Before<D, S>, New, ...After<D, E>]
      : Dims
    : Dims
  : Dims;

/** `D` with dimension `N` replaced by the dimensions `M`. */
export type Unflattened<D extends Dims, N extends string, M extends Dims> =
  Both<IsKnown<D>, IsName<N>> extends true ? readonly [...Before<D, N>, ...M, ...After<D, N>] : Dims;

type Inserted<D extends Dims, N extends string, I extends number, Seen extends string[]> = Seen["length"] extends I
  ? readonly [...Seen, N, ...D]
  : D extends readonly [infer H extends string, ...infer R extends Dims]
    ? Inserted<R, N, I, [...Seen, H]>
    : Dims;

/** `D` with `N` inserted before position `I` (a literal, not negative). */
export type InsertAt<D extends Dims, N extends string, I extends number> =
  Both<IsKnown<D>, IsName<N>> extends true
    ? number extends I
      ? Dims
      : `${I}` extends `-${string}`
        ? Dims
        : Inserted<D, N, I, []>
    : Dims;

/** `D` with the spatial dimensions of `E` that it lacks, at the positions they have in `E`. */
export type ExpandedFrom<D extends Dims, E extends Dims, Position extends unknown[] = []> =
  Both<IsKnown<D>, IsKnown<E>> extends true
    ? E extends readonly [infer H extends string, ...infer R extends Dims]
      ? ExpandedFrom<
          H extends Spatial ? (H extends D[number] ? D : InsertAt<D, H, Position["length"]>) : D,
          R,
          [...Position, unknown]
        >
      : D
    : Dims;

/** `unknown` when the two may be equal, an explaining literal when they are known to differ: intersect it with a parameter. */
export type SameDims<D extends Dims, E extends Dims> =
  Both<IsKnown<D>, IsKnown<E>> extends true
    ? [[...D], [...E]] extends [[...E], [...D]]
      ? unknown
      : { readonly "dimension names differ": [D, E] }
    : unknown;

type Words<S extends string> = S extends `${infer A} ${infer B}`
  ? A extends ""
    ? Words<B>
    : [A, ...Words<B>]
  : S extends ""
    ? []
    : [S];

/** The names right of the arrow of `"a b -> b a"`. */
export type Rearranged<P extends string> = string extends P
  ? Dims
  : P extends `${string}->${infer R}`
    ? readonly [...Words<R>]
    : Dims;

type SameSet<A extends string, B extends string> = [A, B] extends [B, A] ? true : false;

/** `P` when it is a permutation of `D` as far as the compiler knows, an explaining literal when it is not. */
export type Pattern<D extends Dims, P extends string> = string extends P
  ? P
  : IsKnown<D> extends false
    ? P
    : P extends `${infer L}->${infer R}`
      ? [Words<L>, Words<R>["length"]] extends [[...D], D["length"]]
        ? SameSet<D[number], Words<R>[number]> extends true
          ? P
          : "the right side is not a permutation of the left side"
        : "the left side is not the dimension names in order"
      : 'expected "a b -> b a"';
