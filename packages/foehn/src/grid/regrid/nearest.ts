// The nearest point on the sphere, by great-circle distance, through a k-d tree of unit vectors. Of points equally far (within a
// ten-thousandth of a millimetre) the one that comes first in the field is taken: at a pole, the first column.

import { type AnyGrid, numberOfPoints, placesOf } from "../any-grid.js";
import { type SparseWeights, WeightsBuilder } from "./sparse.js";

const radians = Math.PI / 180;
/** Points in a leaf of the tree. */
const leafSize = 8;
/** Distances (chords of the unit sphere) closer than this are equal. */
const equal = 1e-11;

/** A search tree over the points of a grid. */
export class NearestPoints {
  /** Unit vectors, three values for each point. */
  readonly #vectors: Float64Array;
  /** Point numbers in the order of the tree: the middle of each range divides what is before and after it. */
  readonly #order: Int32Array;

  constructor(grid: AnyGrid) {
    const { latitudes, longitudes } = placesOf(grid);
    this.#vectors = new Float64Array(3 * latitudes.length);
    for (const [i, latitude] of latitudes.entries()) this.#vectors.set(unit(latitude, longitudes[i]!), 3 * i);
    this.#order = Int32Array.from(latitudes, (_, i) => i);
    this.#split(0, this.#order.length, 0);
  }

  #split(start: number, end: number, axis: number): void {
    if (end - start <= leafSize) return;
    const middle = (start + end) >> 1;
    this.#select(start, end - 1, middle, axis);
    this.#split(start, middle, (axis + 1) % 3);
    this.#split(middle + 1, end, (axis + 1) % 3);
  }

  /** Quickselect: the value at `middle` is where sorting would put it, smaller ones before it. */
  #select(left: number, right: number, middle: number, axis: number): void {
    const order = this.#order;
    const value = (position: number) => this.#vectors[3 * order[position]! + axis]!;
    let [low, high] = [left, right];
    while (high > low) {
      const pivot = value((low + high) >> 1);
      let [i, j] = [low, high];
      while (i <= j) {
        while (value(i) < pivot) i++;
        while (value(j) > pivot) j--;
        if (i > j) break;
        [order[i], order[j]] = [order[j]!, order[i]!];
        i++;
        j--;
      }
      if (middle <= j) high = j;
      else if (middle >= i) low = i;
      else return;
    }
  }

  /** The number of the point nearest to a place. */
  find(latitude: number, longitude: number): number {
    const place = unit(latitude, longitude);
    const [vectors, order] = [this.#vectors, this.#order];
    let [best, distance] = [-1, Number.POSITIVE_INFINITY];
    const compare = (point: number): void => {
      const chord = Math.hypot(
        vectors[3 * point]! - place[0],
        vectors[3 * point + 1]! - place[1],
        vectors[3 * point + 2]! - place[2],
      );
      if (chord < distance - equal || (chord <= distance + equal && point < best)) {
        best = point;
        distance = Math.min(distance, chord);
      }
    };
    const visit = (start: number, end: number, axis: number): void => {
      if (end - start <= leafSize) {
        for (let n = start; n < end; n++) compare(order[n]!);
        return;
      }
      const middle = (start + end) >> 1;
      const beyond = place[axis]! - vectors[3 * order[middle]! + axis]!;
      const next = (axis + 1) % 3;
      if (beyond < 0) visit(start, middle, next);
      else visit(middle + 1, end, next);
      if (Math.abs(beyond) > distance + equal) return;
      compare(order[middle]!);
      if (beyond < 0) visit(middle + 1, end, next);
      else visit(start, middle, next);
    };
    visit(0, order.length, 0);
    return best;
  }
}

function unit(latitude: number, longitude: number): readonly [number, number, number] {
  const across = Math.cos(latitude * radians);
  return [across * Math.cos(longitude * radians), across * Math.sin(longitude * radians), Math.sin(latitude * radians)];
}

/** One weight of 1 for every target, however far its nearest point is. */
export function nearestWeights(from: AnyGrid, to: AnyGrid): SparseWeights {
  const nearest = new NearestPoints(from);
  const builder = new WeightsBuilder(numberOfPoints(to), numberOfPoints(from));
  const { latitudes, longitudes } = placesOf(to);
  for (const [i, latitude] of latitudes.entries()) {
    builder.add(nearest.find(latitude, longitudes[i]!), 1);
    builder.endRow();
  }
  return builder.finish();
}
