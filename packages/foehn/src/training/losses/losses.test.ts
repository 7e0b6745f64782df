// Losses against hand-computed values, and against PyTorch, neural-lam's metrics and NumPy's FFT (test/golden/training/losses.py).
import { readFileSync } from "node:fs";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { latLonGrid } from "../../grid/grid.js";
import { NamedTensor } from "../../tensor/named-tensor.js";
import type { LossContext } from "./loss.js";
import { createLoss, LossRegistry, type LossSpec, lossParts } from "./registry.js";
import type { ScaledLoss } from "./scaled-loss.js";
import { radialBins } from "./spectral-loss.js";
import type { WeightedLoss } from "./weighted-loss.js";

const dims = ["batch", "timestep", "lat", "lon", "features"];
const named = (tensor: torch.Tensor, names = ["a", "b"]) => new NamedTensor(tensor, dims, names);

/** B = T = 1, 2×2 points, prediction − target = 2 and 3 everywhere, one border point. */
const errors = torch.tensor([2, 3, 2, 3, 2, 3, 2, 3], { shape: [1, 1, 2, 2, 2] });
const target = named(torch.full([1, 1, 2, 2, 2], 5));
const prediction = named(errors.add(5));
const context: LossContext = {
  features: [
    { name: "a", weight: 1 },
    { name: "b", weight: 2 },
  ],
  diffStd: [2, 3],
  std: [10, 20],
  grid: latLonGrid([60, 0], [0, 1]),
  interiorMask: torch.tensor([1, 1, 1, 0], { shape: [2, 2, 1] }),
};
const loss = (spec: LossSpec, given = context) => createLoss(spec, given);
const numbers = (tensor: torch.Tensor) => Array.from(tensor.toTypedArray() as Float32Array);
const close = (tensor: torch.Tensor, ...expected: number[]) => {
  const got = numbers(tensor);
  expect(got).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
};

describe("losses", () => {
  it("weight features by w/σ_d² for squared and w/σ_d for absolute errors", () => {
    close(loss("mse").forward(prediction, target), (4 * 1) / 4 + (9 * 2) / 9);
    close(loss("mae").forward(prediction, target), (2 * 1) / 2 + (3 * 2) / 3);
    close(loss({ name: "mse", scaling: "none" }).forward(prediction, target), 4 + 9 * 2);
    close(loss({ name: "mse", feature_weights: { b: 5 } }).forward(prediction, target), 1 + 5);
    close(loss({ name: "huber", delta: 0.5, scaling: "none" }).forward(prediction, target), 0.875 + 2 * 1.375);
  });

  it("scale to physical units by feature", () => {
    const scaled = (measure: string) => loss({ name: "scaled", measure }) as ScaledLoss;
    close(scaled("mse").byFeature(prediction, target), 20, 60);
    close(scaled("mae").byFeature(prediction, target), 20, 60);
    close(scaled("mse").forward(prediction, target), 80);
    const exact = named(prediction.tensor.clone().requiresGrad_());
    scaled("mse").forward(exact, prediction).mean().backward();
    expect(numbers(exact.tensor.grad!).every(Number.isFinite)).toBe(true);
  });

  it("of a normal distribution refuse a weight of 0, whose width would be infinite", () => {
    expect(() => loss({ name: "nll", feature_weights: { b: 0 } })).toThrow(/weights above 0; that of b is 0/);
    close(loss({ name: "mse", feature_weights: { b: 0 } }).forward(prediction, target), 1);
  });

  it("leave the border out, and only the border", () => {
    const spoilt = errors.clone();
    spoilt.index(0, 0, 1, 1).fill_(1000);
    close(loss("mse").forward(named(spoilt.add(5)), target), 3);
    spoilt.index(0, 0, 0, 0).fill_(1000);
    expect(
      loss("mse")
        .forward(named(spoilt.add(5)), target)
        .item(),
    ).toBeGreaterThan(1000);
  });

  it("give the map before masking", () => {
    close((loss("mse") as WeightedLoss).spatialMap(prediction, target), 3, 3, 3, 3);
  });

  it("average each feature over its valid points; NaN behind the mask reaches neither loss nor gradient", () => {
    const holes = target.tensor.clone();
    holes.index(0, 0, 0, 0, 1).fill_(Number.NaN);
    const mask = torch.ones([1, 1, 2, 2, 2]);
    mask.index(0, 0, 0, 0, 1).fill_(0);
    const blocks = ["mse", "mae", "huber", "smooth_l1", "scaled", "spectral", "crps", "nll", "crps_gauss"];
    for (const name of blocks) {
      const leaf = prediction.tensor.clone().requiresGrad_();
      const value = loss(name, { ...context, interiorMask: torch.ones([2, 2, 1]) }).forward(
        named(leaf),
        named(holes),
        mask,
      );
      value.mean().backward();
      const gradient = numbers(leaf.grad!);
      expect(gradient.every(Number.isFinite), name).toBe(true);
      expect(Math.abs(gradient[1]!), name).toBe(0);
      expect(gradient[0], name).not.toBe(0);
    }
    close(loss("mse").forward(prediction, named(holes), mask), 3);
    close((loss("scaled") as ScaledLoss).byFeature(prediction, named(holes), mask), 20, 60);
  });

  it("count a feature without any valid point as nothing", () => {
    const mask = torch.ones([1, 1, 2, 2, 2]);
    mask.select(4, 1).fill_(0);
    close(loss("mse").forward(prediction, target, mask), 1);
  });

  it("weight levels by the rule that is asked for", () => {
    const features = ["t2m", "z500", "t850"].map((name) => ({ name, weight: 7 }));
    const three = { ...context, features, diffStd: [1, 1, 1], std: [1, 1, 1] };
    const [one, zero] = [torch.ones([1, 1, 2, 2, 3]), torch.zeros([1, 1, 2, 2, 3])];
    const weights = (rule: string) =>
      [0, 1, 2].map((i) => {
        const only = named(
          one.mul(torch.tensor([0, 1, 2].map((n) => Number(n === i)))),
          features.map((f) => f.name),
        );
        return loss({ name: "mse", level_weights: rule }, three)
          .forward(
            only,
            named(
              zero,
              features.map((f) => f.name),
            ),
          )
          .item() as number;
      });
    const rounded = (rule: string) => weights(rule).map((value) => Number(value.toFixed(4)));
    expect(rounded("dataset")).toEqual([7, 7, 7]);
    expect(rounded("none")).toEqual([1, 1, 1]);
    expect(rounded("linear")).toEqual([2, 1.5, 1.85]);
    expect(rounded("linear_90")).toEqual([2, 6.5556, 10.4444]);
    expect(rounded("pressure")).toEqual([1, 0.7407, 1.2593]);
  });

  it("are made from a name, a block, or a weighted list, also in py4cast's words", () => {
    const value = (spec: LossSpec) => loss(spec).forward(prediction, target).item() as number;
    expect(value("MSELoss")).toBe(value("mse"));
    expect(value({ class: "WeightedLoss", params: { loss: "L1Loss", reduction: "none" } })).toBe(value("mae"));
    expect(value({ class: "ScaledLoss", params: { loss: "MSELoss" } })).toBe(value("scaled"));
    const sum: LossSpec = [
      { class: "WeightedLoss", weight: 0.5, params: { loss: "MSELoss" } },
      { name: "huber", delta: 2, weight: 2 },
    ];
    expect(value(sum)).toBeCloseTo(0.5 * value("mse") + 2 * value({ name: "huber", delta: 2 }), 5);
    expect(value({ name: "mse", weight: 3 })).toBeCloseTo(3 * value("mse"), 5);
  });

  it("say what is wrong, and the nearest name", () => {
    expect(() => lossParts("hubr")).toThrow(/unknown loss "hubr"/);
    expect(() => lossParts({ name: "huber", detla: 1 })).toThrow(/loss huber detla: unknown key. Did you mean "delta"/);
    expect(() => lossParts([{ name: "mse" }, { weight: 2 }])).toThrow(/loss.1: expected the name of a loss/);
    expect(() => loss({ name: "mse", feature_weights: { c: 1 } })).toThrow(/no feature "c"/);
    const registry = new LossRegistry();
    const [mse] = lossParts("mse");
    registry.register(mse!.definition);
    expect(() => registry.register({ ...mse!.definition, summary: "mine" })).toThrow(/two losses are called "mse"/);
  });
});

describe("losses, against other implementations", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../../../../../test/golden/training/losses.json", import.meta.url), "utf8"),
  );
  const [b, m, t, h, w, f] = golden.shape as number[] as [number, number, number, number, number, number];
  const names = ["t2m", "z500", "t850"];
  const mask = torch.zeros([h, w, 1]);
  mask
    .narrow(0, 1, h - 2)
    .narrow(1, 1, w - 2)
    .fill_(1);
  const field = (key: string) => torch.tensor(golden[key] as number[], { shape: [b, t, h, w, f] });
  const ensemble = torch.tensor(golden.members as number[], { shape: [b, m, t, h, w, f] });
  const given: LossContext = {
    features: names.map((name, i) => ({ name, weight: golden.weight[i] })),
    diffStd: golden.diff_std,
    std: [1, 1, 1],
    grid: latLonGrid(
      golden.latitudes,
      Array.from({ length: w }, (_, i) => i),
    ),
    interiorMask: mask,
  };
  const members = new NamedTensor(ensemble, ["batch", "member", "timestep", "lat", "lon", "features"], names);
  const single = named(ensemble.select(1, 0), names);
  const truth = named(field("target"), names);
  const withStd = named(torch.cat([single.tensor, field("std")], { dim: -1 }), [
    ...names,
    ...names.map((name) => `${name}_std`),
  ]);

  it.each<[string, LossSpec, NamedTensor, torch.Tensor?]>([
    ["mse", "mse", single],
    ["mae", "mae", single],
    ["huber", { name: "huber", delta: 0.5 }, single],
    ["smooth_l1", { name: "smooth_l1", beta: 0.5 }, single],
    ["mse_valid", "mse", single, field("valid")],
    ["mse_latitude", { name: "mse", latitude_weights: true }, single],
    ["mse_plain", { name: "mse", level_weights: "none", scaling: "none" }, single],
    ["nll", "nll", single],
    ["crps_gauss", "crps_gauss", single],
    ["nll_std", "nll", withStd],
    ["crps_gauss_std", "crps_gauss", withStd],
    ["crps_fair", "crps", members],
    ["crps_biased", { name: "crps", fairness: 0 }, members],
    ["crps_almost_fair", { name: "crps", fairness: 0.95 }, members],
    ["spectral", "spectral", single],
    ["spectral_log", { name: "spectral", log: true }, single],
  ])("%s", (key, spec, predicted, valid) => {
    const got = createLoss(spec, { ...given, outputStd: predicted === withStd }).forward(predicted, truth, valid);
    expect(got.shape).toEqual([b, t]);
    for (const [i, value] of (golden.expected[key] as number[]).entries())
      expect(numbers(got)[i]! / value).toBeCloseTo(1, 5);
  });

  it("the mean of an ensemble is what the others compare; CRPS of one member is its absolute error", () => {
    const mean = named(ensemble.mean({ dim: [1] }), names);
    expect(numbers(createLoss("mse", given).forward(members, truth))).toEqual(
      numbers(createLoss("mse", given).forward(mean, truth)),
    );
    expect(numbers(createLoss("crps", given).forward(single, truth))).toEqual(
      numbers(createLoss("mae", given).forward(single, truth)),
    );
  });

  it("spectra do not care for directions or places: a wave, turned or shifted, is the same", () => {
    const size = 16;
    const wave = (at: (i: number, j: number) => number) =>
      torch.tensor(
        Array.from({ length: size * size }, (_, n) =>
          Math.cos((2 * Math.PI * 3 * at(Math.floor(n / size), n % size)) / size),
        ),
        { shape: [1, 1, size, size, 1] },
      );
    const square: LossContext = {
      ...given,
      features: [{ name: "t2m", weight: 1 }],
      diffStd: [1],
      grid: latLonGrid(
        Array.from({ length: size }, (_, i) => size - i),
        Array.from({ length: size }, (_, i) => i),
      ),
      interiorMask: torch.ones([size, size, 1]),
    };
    const spectral = createLoss({ name: "spectral", transform: "fft" }, square);
    const value = (x: torch.Tensor, y: torch.Tensor) =>
      spectral.forward(named(x, ["t2m"]), named(y, ["t2m"])).item() as number;
    const along = wave((_, j) => j);
    expect(
      value(
        wave((i) => i),
        along,
      ),
    ).toBeLessThan(1e-6);
    expect(
      value(
        wave((_, j) => j + 2),
        along,
      ),
    ).toBeLessThan(1e-6);
    expect(value(along.mul(0.5), along)).toBeCloseTo(0.5 * 0.25, 5);
    expect(
      value(
        wave((_, j) => (j * 5) / 3),
        along,
      ),
    ).toBeCloseTo(1, 4);
    // Never more than the mean squared error, whatever the fields.
    torch.manualSeed(1);
    const [x, y] = [torch.randn([1, 1, size, size, 1]), torch.randn([1, 1, size, size, 1])];
    for (const transform of ["fft", "dct"]) {
      const bounded = createLoss({ name: "spectral", transform }, square).forward(named(x, ["t2m"]), named(y, ["t2m"]));
      expect(bounded.item()).toBeLessThan(x.sub(y).square().mean().item() as number);
      expect(bounded.item()).toBeGreaterThan(0);
    }
    expect(radialBins(4, 8, "dct")[8]).toBe(1); // one half wave along the four rows
    expect(radialBins(4, 8, "dct")[1]).toBe(1); // 0.5 rounds up: a half wave along the eight columns
    expect(radialBins(8, 8, "fft").at(-1)).toBe(1); // frequency −1 in both directions is √2 away
  });
});
