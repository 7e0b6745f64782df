import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { createNetwork } from "../../registry.js";
import { shiftMask, windowsOf } from "./windows.js";

describe("windows", () => {
  it("cover the grid with whole windows, shifted by half where there are several", () => {
    expect(windowsOf([16, 7], true)).toEqual({
      grid: [16, 7],
      padded: [21, 7],
      size: [7, 7],
      shift: [3, 0],
      count: [3, 1],
    });
    expect(windowsOf([4, 8], true)).toMatchObject({ size: [4, 7], shift: [0, 3], padded: [4, 14], count: [1, 2] });
    expect(shiftMask(windowsOf([4, 4], true))).toBeNull();
  });

  it("keep places apart that only the shift makes neighbours", () => {
    torch.scope(() => {
      // The grid rolled by 3 columns: the last window holds 4 columns that stayed and 3 that came from the left border.
      const mask = shiftMask(windowsOf([7, 14], true))!;
      expect(mask.shape).toEqual([2, 49, 49]);
      expect(mask.select(0, 0).abs().max().item()).toBe(0);
      const last = mask.select(0, 1);
      expect(last.slice({ dim: 0, start: 3, end: 4 }).slice({ dim: 1, start: 0, end: 7 }).toArray()).toEqual([
        [0, 0, 0, 0, -100, -100, -100],
      ]);
    });
  });
});

describe("SwinUNetR", () => {
  it.each<[object, readonly [number, number], RegExp]>([
    [{ feature_size: 20 }, [64, 64], /feature_size: expected a multiple of 12, got 20/],
    [{ num_heads: [3, 6, 12, 23] }, [64, 64], /num_heads\.3: must divide the stage's width 192, got 23/],
    [{ norm_name: "instanc" }, [64, 64], /norm_name: .*"instance", "batch"/],
    [{ norm_name: ["group", { groups: 2 }] }, [64, 64], /norm_name\.1.*num_groups/s],
    [{ downsample: "merginv2" }, [64, 64], /downsample: .*Did you mean "mergingv2"/],
    [{ use_checkpoint: true }, [64, 64], /use_checkpoint: .*checkpoint-steps/],
    [{ depths: [2, 2] }, [64, 64], /depths/],
    [{}, [32, 20], /deepest map is one cell.*32×20|32×20.*deepest map is one cell/],
  ])("says what is wrong with %j on %j", (settings, shape, message) => {
    expect(() => createNetwork("swinunetr", 3, 1, settings, shape)).toThrow(message);
  });

  it("takes other sizes than the one it was made for", () => {
    torch.scope(() => {
      const settings = { feature_size: 12, num_heads: [1, 2, 3, 4] };
      const network = createNetwork("swinunetr", 1, 1, settings, [64, 64]);
      const other = createNetwork("swinunetr", 1, 1, settings, [96, 40]);
      other.loadStateDict(network.stateDict());
      network.eval();
      other.eval();
      const x = torch.randn([1, 96, 40, 1]);
      torch.noGrad(() => expect(network.forward(x).equal(other.forward(x))).toBe(true));
    });
  });

  it("takes every normalisation of the convolutions", () => {
    torch.scope(() => {
      for (const norm_name of ["batch", ["group", { num_groups: 4 }], ["instance", { affine: true }]]) {
        const network = createNetwork(
          "swinunetr",
          1,
          2,
          { feature_size: 12, num_heads: [1, 2, 3, 4], norm_name },
          [64, 64],
        );
        expect(network.forward(torch.randn([1, 64, 64, 1])).shape).toEqual([1, 64, 64, 2]);
      }
    });
  });
});
