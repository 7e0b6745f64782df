import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { createNetwork } from "../../registry.js";

const parameters = (settings: object) => {
  using network = createNetwork("segformer", 3, 1, settings, [64, 64]);
  return network.numParameters();
};

describe("Segformer", () => {
  it("takes one value for all four stages, and py4cast's name of kernel_and_stride", () => {
    const small = { dims: 8, heads: 2, decoder_dim: 8 };
    expect(parameters({ ...small, kernel_and_stride: 1, num_layers: [2, 2, 2, 2] })).toBe(
      parameters({ ...small, reduction_ratio: [1, 1, 1, 1] }),
    );
    expect(parameters({ ...small, num_layers: 1 })).toBeLessThan(parameters(small));
  });

  it.each<[object, RegExp]>([
    [{ dims: [8, 8, 8] }, /dims: .*list/],
    [{ heads: [1, 2, 3, 8] }, /heads\.2: must divide the stage's width 160, got 3/],
    [{ heads: 7 }, /heads: must divide the stage's width 32, got 7/],
    [{ decoder_dim: 30 }, /decoder_dim: expected a multiple of 4, got 30/],
    [{ decoder_dims: 32 }, /decoder_dims: unknown key.*decoder_dim/],
    [{ kernel_and_stride: [16, 4, 2, 1] }, /kernel_and_stride 16 of stage 1.*8×8/],
  ])("says what is wrong with %j", (settings, message) => {
    expect(() => createNetwork("segformer", 3, 1, settings, [64, 64])).toThrow(message);
  });

  it("crops the field it padded, not its neighbour", () => {
    torch.scope(() => {
      const settings = { dims: 8, heads: 2, decoder_dim: 8 };
      const network = createNetwork("segformer", 1, 1, settings, [49, 62]);
      network.eval();
      const x = torch.randn([1, 49, 62, 1]);
      torch.noGrad(() => {
        const padded = torch.constantPadNd(x, [0, 0, 1, 1, 7, 8]);
        const whole = network.forward(padded);
        const centre = whole.slice({ dim: 1, start: 7, end: 56 }).slice({ dim: 2, start: 1, end: 63 });
        expect(network.forward(x).sub(centre).abs().max().item()).toBeLessThan(1e-5);
      });
    });
  });
});
