import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { inputMasking } from "./input-masking.js";

/** 1 where the input is left, by sample, (H, W). */
function visible(shape: readonly [number, number], ratio: number, batch = 3): number[][] {
  const [height, width] = shape;
  const x = torch.ones([batch, height, width, 2]);
  const y = inputMasking(shape, ratio)(x);
  expect(y.shape).toEqual(x.shape);
  const values = Array.from(y.toTypedArray() as Float32Array);
  // Both features are hidden together.
  expect(values.filter((_, i) => i % 2 === 0)).toEqual(values.filter((_, i) => i % 2 === 1));
  const points = height * width;
  return Array.from({ length: batch }, (_, b) =>
    values.filter((_, i) => i % 2 === 0).slice(b * points, (b + 1) * points),
  );
}

describe("inputMasking", () => {
  it("hides the share asked for, in whole blocks, each sample its own", () => {
    torch.manualSeed(1);
    const samples = visible([16, 16], 0.25);
    for (const sample of samples) {
      expect(sample.filter((value) => value === 0)).toHaveLength(64);
      for (let block = 0; block < 16; block++) {
        const [row, column] = [4 * Math.floor(block / 4), 4 * (block % 4)];
        const inside = Array.from({ length: 16 }, (_, n) => sample[(row + Math.floor(n / 4)) * 16 + column + (n % 4)]);
        expect(new Set(inside).size).toBe(1);
      }
    }
    expect(samples[0]).not.toEqual(samples[1]);
    torch.manualSeed(1);
    expect(visible([16, 16], 0.25)).toEqual(samples);
  });

  it("works on grids whose sides are no squares, and in a graph network's layout", () => {
    const [sample] = visible([10, 7], 0.5, 1);
    const share = sample!.filter((value) => value === 0).length / 70;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.7);
    torch.manualSeed(2);
    const onGrid = inputMasking([6, 9], 0.3)(torch.ones([2, 6, 9, 1]));
    torch.manualSeed(2);
    const onNodes = inputMasking([6, 9], 0.3)(torch.ones([2, 54, 1]));
    expect(onNodes.shape).toEqual([2, 54, 1]);
    expect(onNodes.toTypedArray()).toEqual(onGrid.toTypedArray());
  });

  it("leaves everything at ratio 0", () => {
    const x = torch.ones([1, 4, 4, 1]);
    expect(inputMasking([4, 4], 0)(x)).toBe(x);
  });
});
