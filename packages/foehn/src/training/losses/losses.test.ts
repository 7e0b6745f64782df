import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { NamedTensor } from "../../tensor/named-tensor.js";
import { ScaledLoss } from "./scaled-loss.js";
import { WeightedLoss } from "./weighted-loss.js";

const dims = ["batch", "timestep", "lat", "lon", "features"] as const;
const named = (tensor: torch.Tensor) => new NamedTensor(tensor, dims, ["a", "b"]) as NamedTensor;

/** B = T = 1, 2×2 points, prediction − target = 2 and 3 everywhere, one border point. */
const interiorMask = torch.tensor([1, 1, 1, 0], { shape: [2, 2, 1] });
const errors = torch.tensor([2, 3, 2, 3, 2, 3, 2, 3], { shape: [1, 1, 2, 2, 2] });
const target = named(torch.full([1, 1, 2, 2, 2], 5));
const prediction = named(errors.add(5));
const weighted = { weights: [1, 2], diffStd: [2, 3], interiorMask };
const scaled = { std: [10, 20], interiorMask };
const close = (tensor: torch.Tensor, ...expected: number[]) => {
  const got = Array.from(tensor.toTypedArray() as Float32Array);
  expect(got).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
};

describe("losses", () => {
  it("weight features by w/σ_d² for squared and w/σ_d for absolute errors", () => {
    close(new WeightedLoss("mse", weighted).forward(prediction, target), (4 * 1) / 4 + (9 * 2) / 9);
    close(new WeightedLoss("mae", weighted).forward(prediction, target), (2 * 1) / 2 + (3 * 2) / 3);
  });

  it("scale to physical units by feature", () => {
    close(new ScaledLoss("mse", scaled).forward(prediction, target), 20, 60);
    close(new ScaledLoss("mae", scaled).forward(prediction, target), 20, 60);
  });

  it("leave the border out, and only the border", () => {
    const spoilt = errors.clone();
    spoilt.index(0, 0, 1, 1).fill_(1000);
    close(new WeightedLoss("mse", weighted).forward(named(spoilt.add(5)), target), 3);
    spoilt.index(0, 0, 0, 0).fill_(1000);
    expect(new WeightedLoss("mse", weighted).forward(named(spoilt.add(5)), target).item()).toBeGreaterThan(1000);
  });

  it("give the map before masking", () => {
    close(new WeightedLoss("mse", weighted).spatialMap(prediction, target), 3, 3, 3, 3);
  });

  it("average each feature over its valid points; NaN behind the mask reaches neither loss nor gradient", () => {
    const holes = target.tensor.clone();
    holes.index(0, 0, 0, 0, 1).fill_(Number.NaN);
    const mask = torch.ones([1, 1, 2, 2, 2]);
    mask.index(0, 0, 0, 0, 1).fill_(0);
    const leaf = prediction.tensor.clone().requiresGrad_();
    const loss = new WeightedLoss("mse", weighted).forward(named(leaf), named(holes), mask);
    close(loss, 3);
    loss.mean().backward();
    const gradient = Array.from(leaf.grad!.toTypedArray() as Float32Array);
    expect(gradient.every(Number.isFinite)).toBe(true);
    expect(gradient[1]).toBe(0);
    expect(gradient[0]).not.toBe(0);
    close(new ScaledLoss("mse", scaled).forward(prediction, named(holes), mask), 20, 60);
  });

  it("count a feature without any valid point as nothing", () => {
    const mask = torch.ones([1, 1, 2, 2, 2]);
    mask.select(4, 1).fill_(0);
    close(new WeightedLoss("mse", weighted).forward(prediction, target, mask), 1);
  });

  it("work on flattened grids", () => {
    const flat = (tensor: NamedTensor) => tensor.flatten("ngrid", "lat", "lon") as NamedTensor;
    const loss = new WeightedLoss("mse", { ...weighted, interiorMask: interiorMask.reshape([4, 1]) });
    close(loss.forward(flat(prediction), flat(target)), 3);
  });
});
