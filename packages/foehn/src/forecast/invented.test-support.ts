// For tests only: networks whose forecast is known in closed form, so that a wrong slot, time, unit or order of points shows.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { z } from "zod";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { type ForcingSpec, forcingNames, noForcing } from "../datasets/forcings.js";
import { buildStatics } from "../datasets/statics.js";
import { type Grid, latLonGrid } from "../grid/grid.js";
import { writePackage } from "../hub/write-package.js";
import { type ModelType, Network, type StaticTensors } from "../models/network.js";
import { networks } from "../models/registry.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import type { NamedTensor } from "../tensor/named-tensor.js";

/** 4 × 6 points, global in longitude, so that shifts go round. */
export const grid: Grid = latLonGrid([75, 25, -25, -75], [0, 60, 120, 180, 240, 300]);
export const points = 24;
export const start = Date.UTC(2019, 2, 1) / 1000;
export const step = 6 * 3600;

/** `t2m` and `msl` on the little grid, mean and std far from 0 and 1; `tp`, when asked for, is diagnostic. */
export function inventedInfo(forcing: ForcingSpec = noForcing, features = ["t2m", "msl"], borderSize = 0): DatasetInfo {
  const catalogue = {
    t2m: { units: "K", longName: "2 metre temperature", mean: 280, std: 10 },
    msl: { units: "Pa", longName: "Mean sea level pressure", mean: 1e5, std: 800 },
    tp: { units: "m", longName: "Total precipitation", mean: 0.002, std: 0.004 },
  };
  const known = (name: string) => catalogue[name as keyof typeof catalogue];
  const stats = (mean: (name: string) => number, std: (name: string) => number) =>
    Object.fromEntries(features.map((name) => [name, { mean: mean(name), std: std(name), min: -9, max: 9 }]));
  return {
    name: "invented",
    grid,
    stepSeconds: step,
    features: features.map((name) => ({
      name,
      units: known(name).units,
      longName: known(name).longName,
      role: name === "tp" ? "diagnostic" : "prognostic",
      weight: 1,
    })),
    forcingNames: forcingNames(forcing),
    forcing,
    stats: stats(
      (name) => known(name).mean,
      (name) => known(name).std,
    ),
    diffStats: stats(
      () => 0.5,
      () => 0.25,
    ),
    borderSize,
    statics: buildStatics(grid, { borderSize }),
  };
}

/** Every point and time has its own value; `t2m` in kelvin, `msl` in pascal. */
export function inventedSource(times: readonly number[], units: Record<string, string> = {}): Source {
  const t2m = Float32Array.from(
    { length: times.length * points },
    (_, i) => 270 + (i % points) + Math.floor(i / points),
  );
  const msl = t2m.map((value) => 1e5 + 10 * value);
  const fields = new Map([
    ["t2m", units.t2m === "degC" ? t2m.map((value) => value - 273.15) : t2m],
    ["msl", msl],
  ]);
  return arraySource({ grid, times, fields, units });
}

export const every = (count: number, from = start): number[] =>
  Array.from({ length: count }, (_, i) => from + i * step);

abstract class Invented extends Network {
  static readonly modelType: ModelType = "identity";
  static readonly onnxSupported = false;
  static readonly settings = z.looseObject({});
}

/** Adds to every feature the first forcing, normalised. With `sin_hour` the state remembers every valid time. */
export class AddsFirstForcing extends Invented {
  static readonly modelName: string = "adds_first_forcing";
  override forward(x: Tensor): Tensor {
    const at = Number(this.settings.first_forcing);
    return x.slice({ dim: -1, start: at, end: at + 1 }).expand([...x.shape.slice(0, -1), this.numOutputFeatures]);
  }
}

const onNodes = (part: NamedTensor) => part.flatten("ngrid", "lat", "lon") as NamedTensor;

/** AddsFirstForcing on the nodes of a graph; refuses what is on the grid. */
export class AddsForcingOnNodes extends AddsFirstForcing {
  static override readonly modelName = "adds_forcing_on_nodes";
  override forward(x: Tensor): Tensor {
    if (x.ndim !== 3 || x.size(1) !== points) throw new Error(`not on nodes: (${x.shape.join(", ")})`);
    return super.forward(x);
  }
  override transformStatics({ features, borderMask, interiorMask }: StaticTensors): StaticTensors {
    return { features: onNodes(features), borderMask: onNodes(borderMask), interiorMask: onNodes(interiorMask) };
  }
  override transformBatch(batch: ItemBatch): ItemBatch {
    const { inputs, outputs, forcing } = batch;
    return { ...batch, inputs: onNodes(inputs), outputs: onNodes(outputs), forcing: onNodes(forcing) };
  }
}

/** Moves every field one column eastwards a step. */
export class ShiftsEast extends Invented {
  static readonly modelName = "shifts_east";
  override forward(x: Tensor): Tensor {
    const last = x.slice({ dim: -1, start: 0, end: this.numOutputFeatures });
    return last.roll([1], { dims: [2] }).sub(last);
  }
}

/** Takes the oldest of two states as the next one: a forecast that repeats its history in turn. */
export class RepeatsOldest extends Invented {
  static readonly modelName = "repeats_oldest";
  override forward(x: Tensor): Tensor {
    const n = this.numOutputFeatures;
    return x.slice({ dim: -1, start: 0, end: n }).sub(x.slice({ dim: -1, start: n, end: 2 * n }));
  }
}

/** Answers ones: under scaled_ar each call adds mean + std of the differences. */
export class AddsOne extends Invented {
  static readonly modelName = "adds_one";
  override forward(x: Tensor): Tensor {
    return torch.ones([...x.shape.slice(0, -1), this.numOutputFeatures]);
  }
}

/**
 * For t2m, msl and the diagnostic tp: prognostic increments of one and two, and as tp the newest msl, normalised. Refuses an input
 * that holds anything but two states, statics and forcings.
 */
export class Rains extends Invented {
  static readonly modelName = "rains";
  override forward(x: Tensor): Tensor {
    if (x.size(-1) !== this.numInputFeatures) throw new Error(`${x.size(-1)} features of ${this.numInputFeatures}`);
    const newest = Number(this.settings.newest_msl ?? 1);
    const one = torch.ones([...x.shape.slice(0, -1), 1]);
    return torch.cat([one, one.mul(2), x.slice({ dim: -1, start: newest, end: newest + 1 })], { dim: -1 });
  }
}

/** Doubles until float32 overflows. */
export class Explodes extends Invented {
  static readonly modelName = "explodes";
  override forward(x: Tensor): Tensor {
    return x.slice({ dim: -1, start: 0, end: this.numOutputFeatures }).mul(1e18);
  }
}

for (const network of [AddsFirstForcing, AddsForcingOnNodes, ShiftsEast, RepeatsOldest, AddsOne, Rains, Explodes]) {
  networks.register(network);
}

/** Writes a package of the persistence forecast over the invented fields, but for `changes`; gives its folder. */
export function persistencePackage(
  path: string,
  changes: Partial<Parameters<typeof writePackage>[1]> = {},
): Promise<string> {
  return writePackage(path, {
    name: "model",
    version: "1.0.0",
    architecture: "persistence",
    settings: {},
    weights: new Map(),
    strategy: "diff_ar",
    numInputSteps: 1,
    numInterSteps: 1,
    info: inventedInfo(),
    climatology: {},
    provenance: {},
    ...changes,
  });
}
