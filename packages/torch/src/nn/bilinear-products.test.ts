// The products against libtorch's kernel in float32, values and gradients.
import { describe, expect, it } from "vitest";
import * as torch from "../index.js";
import { bilinearProducts, prefersProducts } from "./bilinear-products.js";
import { type InterpolateOptions, interpolate } from "./interpolate.js";

describe("bilinear interpolation by products", () => {
  it.each<[InterpolateOptions, [number, number], readonly [number, number] | undefined]>([
    [{ scaleFactor: 2, alignCorners: true }, [12, 20], [0.5, 0.5]],
    [{ scaleFactor: 4 }, [24, 40], [0.25, 0.25]],
    [{ scaleFactor: [1.5, 2.3] }, [9, 23], [1 / 1.5, 1 / 2.3]],
    [{ size: [9, 11] }, [9, 11], undefined],
    [{ size: [1, 4], alignCorners: true }, [1, 4], undefined],
  ])("%j is libtorch's", (options, size, steps) => {
    torch.manualSeed(5);
    const x = torch.randn([2, 5, 6, 10]);
    const g = torch.randn([2, 5, ...size]);
    const run = (input: torch.Tensor, fn: (leaf: torch.Tensor) => torch.Tensor) => {
      const leaf = input.clone().requiresGrad_();
      const y = fn(leaf);
      y.backward(g.to(y.dtype));
      return [y, leaf.grad!].map((tensor) => tensor.detach().to("float32"));
    };
    const exact = run(x, (leaf) => interpolate(leaf, { ...options, mode: "bilinear" }));
    const last = x.to({ dtype: "bfloat16", memoryFormat: "channels_last" });
    const products = run(last, (leaf) =>
      bilinearProducts(leaf, size, { alignCorners: options.alignCorners ?? false, steps }),
    );
    for (const [i, got] of products.entries()) {
      expect(got.shape).toEqual(exact[i]!.shape);
      // bfloat16 has eight bits: weights, values and sums are each rounded to them.
      const scale = exact[i]!.abs().max().item() as number;
      expect(got.sub(exact[i]!).abs().max().item()).toBeLessThan(0.02 * scale);
    }
  });

  it("are for bfloat16 in channels-last memory only, and interpolate gives what they give", () => {
    const x = torch.randn([1, 4, 3, 3]);
    const last = x.to({ dtype: "bfloat16", memoryFormat: "channels_last" });
    expect([x, x.to("bfloat16"), x.to({ memoryFormat: "channels_last" })].map(prefersProducts)).toEqual([
      false,
      false,
      false,
    ]);
    expect(prefersProducts(last)).toBe(torch.cpuCapabilities().amxBf16);
    const options = { scaleFactor: 2, mode: "bilinear", alignCorners: true } as const;
    const y = interpolate(last, options);
    expect(y.dtype).toBe("bfloat16");
    expect(y.stride()[1]).toBe(1);
    const close = y
      .to("float32")
      .sub(interpolate(last.to("float32"), options))
      .abs()
      .max()
      .item();
    expect(close).toBeLessThan(0.05);
  });

  it("keep a constant field, to the bit", () => {
    torch.scope(() => {
      const x = torch.full([1, 2, 5, 7], 1.5).to("bfloat16").to({ memoryFormat: "channels_last" });
      for (const alignCorners of [true, false]) {
        const y = bilinearProducts(x, [37, 53], { alignCorners }).to("float32");
        expect([y.min().item(), y.max().item()]).toEqual([1.5, 1.5]);
      }
    });
  });
});
