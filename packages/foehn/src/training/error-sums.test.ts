import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { ErrorSums } from "./error-sums.js";
import { tinyData } from "./tiny-data.test.fixture.js";

const { info } = tinyData();
const [ny, nx] = info.grid.shape;
const interior = torch.keep(torch.ones([ny, nx, 1]));
const shape = [2, 3, ny, nx, 2];

function sumsOf(batches: readonly [torch.Tensor, torch.Tensor, torch.Tensor?][], climatology = {}) {
  const sums = new ErrorSums({ info, numLeads: 3, interiorMask: interior, climatology });
  for (const [prediction, target, mask] of batches) torch.scope(() => sums.add(prediction, target, mask));
  sums.dispose();
  return sums;
}

/** The scores by their definitions, point by point. */
function direct(batches: readonly [torch.Tensor, torch.Tensor, torch.Tensor?][], lead: number, feature: number) {
  const errors: number[] = [];
  const [forecasts, truths]: [number[], number[]] = [[], []];
  for (const [prediction, target, mask] of batches) {
    const at = (t: torch.Tensor) => [
      ...(t.select(4, feature).select(1, lead).contiguous().toTypedArray() as Float32Array),
    ];
    const valid = mask === undefined ? undefined : at(mask);
    const [f, o] = [at(prediction), at(target)];
    for (const [i, value] of f.entries()) {
      if (valid?.[i] === 0) continue;
      errors.push(10 * (value - o[i]!));
      forecasts.push(10 * value - feature);
      truths.push(10 * o[i]! - feature);
    }
  }
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const product = (a: readonly number[], b: readonly number[]) => mean(a.map((x, i) => x * b[i]!));
  return {
    bias: mean(errors),
    mae: mean(errors.map(Math.abs)),
    rmse: Math.sqrt(product(errors, errors)),
    acc: product(forecasts, truths) / Math.sqrt(product(forecasts, forecasts) * product(truths, truths)),
  };
}

describe("ErrorSums", () => {
  torch.manualSeed(3);
  const batches: [torch.Tensor, torch.Tensor][] = [1, 2].map(() => [torch.randn(shape), torch.randn(shape)]);
  // 280 + feature in kelvin, over a mean of 280 and a standard deviation of 10.
  const { climatology } = tinyData();

  it("pools over samples and points before the root and the ratio, in physical units", () => {
    const sums = sumsOf(batches, climatology);
    for (const [v, name] of ["t2m", "z500"].entries()) {
      for (const lead of [0, 1, 2]) {
        const expected = direct(batches, lead, v);
        for (const metric of ["bias", "mae", "rmse", "acc"] as const) {
          expect(sums.score(metric)[name]![lead], `${metric} of ${name}`).toBeCloseTo(expected[metric], 4);
        }
      }
    }
  });

  it("leave out what the mask hides, whatever stands there", () => {
    const mask = torch.rand(shape).gt(0.4).to("float32");
    const masked = batches.map(([f, o]) => [f, torch.where(mask.ne(0), o, Number.NaN), mask]) as [
      torch.Tensor,
      torch.Tensor,
      torch.Tensor,
    ][];
    const sums = sumsOf(masked, climatology);
    const expected = direct(masked, 1, 1);
    for (const metric of ["bias", "mae", "rmse", "acc"] as const) {
      expect(sums.score(metric).z500![1], metric).toBeCloseTo(expected[metric], 4);
    }
  });

  it("give the border no say", () => {
    const [prediction, target] = batches[0]!;
    const border = prediction.clone();
    border.select(2, 0).fill_(1e6);
    const inside = interior.clone();
    inside.select(0, 0).fill_(0);
    const make = (values: torch.Tensor, mask: torch.Tensor) => {
      const sums = new ErrorSums({ info, numLeads: 3, interiorMask: mask });
      torch.scope(() => sums.add(values, target));
      return sums.score("rmse").t2m![0]!;
    };
    expect(make(border, inside)).toBeCloseTo(make(prediction, inside), 5);
    expect(make(border, interior)).toBeGreaterThan(1e5);
  });

  it("have no ACC without a climatology, and NaN where nothing was compared", () => {
    const sums = sumsOf(batches);
    expect(sums.hasAcc).toBe(false);
    expect(sums.score("acc").t2m).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    const empty = sumsOf([[torch.randn(shape), torch.randn(shape), torch.zeros(shape)]]);
    expect(empty.score("rmse").t2m![0]).toBeNaN();
  });
});
