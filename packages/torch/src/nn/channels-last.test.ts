// Layers that have a way of their own through channels-last memory: InstanceNorm2d against PyTorch's numbers (test/golden/torch/make_golden.py),
// ConvTranspose2d against itself; and normalisation of 16-bit values.
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const path = fileURLToPath(new URL("../../../../test/golden/torch/instance_norm.npz", import.meta.url));
const golden = torch.npy.loadNpz(path);
const { InstanceNorm2d } = torch.nn;

const layers: Record<string, () => torch.nn.InstanceNorm2d> = {
  plain: () => new InstanceNorm2d(4),
  affine: () => new InstanceNorm2d(4, { eps: 1e-3, affine: true }),
  tracking: () => new InstanceNorm2d(4, { momentum: 0.3, affine: true, trackRunningStats: true }),
};

const difference = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item() as number;

describe("InstanceNorm2d", () => {
  for (const memoryFormat of ["contiguous", "channels_last"] as const) {
    it.each(Object.keys(layers))(`%s gives PyTorch's output, gradient and buffers, ${memoryFormat}`, (name) => {
      torch.scope(() => {
        const layer = layers[name]!();
        const state = [...golden].filter(([key]) => key.startsWith(`${name}/`));
        layer.loadStateDict(new Map(state.map(([key, tensor]) => [key.slice(name.length + 1), tensor])));
        const x = golden.get("x")!.contiguous({ memoryFormat });
        const leaf = x.clone().requiresGrad_();
        const y = layer.forward(leaf);
        expect(difference(y, golden.get(`${name}:y`)!)).toBeLessThan(1e-5);
        const weights = torch.arange(1, y.numel() + 1).reshape(y.shape);
        y.mul(weights).mul(0.1).sum().backward();
        expect(difference(leaf.grad!, golden.get(`${name}:grad`)!)).toBeLessThan(1e-4);
        for (const [key, buffer] of layer.namedBuffers()) {
          expect(difference(buffer, golden.get(`${name}:${key}`)!)).toBeLessThan(1e-6);
        }
        expect(difference(layer.eval().forward(x), golden.get(`${name}:eval`)!)).toBeLessThan(1e-5);
        if (name !== "tracking") expect(y.isContiguous(memoryFormat)).toBe(true);
      });
    });
  }

  it("is recorded for any batch size", () => {
    torch.scope(() => {
      const layer = new InstanceNorm2d(3);
      const images = (batch: number) => torch.randn([batch, 5, 4, 3]).permute([0, 3, 1, 2]);
      const runner = new torch.GraphRunner(torch.trace(layer, images(2)));
      const x = images(5);
      expect(difference(runner.run(x)[0]!, layer.forward(x))).toBeLessThan(1e-6);
    });
  });

  it("refuses what has one place per channel, and other shapes", () => {
    const layer = new InstanceNorm2d(3);
    expect(() => layer.forward(torch.randn([2, 3, 1, 1]))).toThrow(/more than one place.*\[2, 3, 1, 1\]/);
    expect(() => layer.forward(torch.randn([2, 4, 5, 5]))).toThrow(/expected \(N, 3, H, W\).*\[2, 4, 5, 5\]/);
  });
});

describe("normalisation under autocast", () => {
  it("computes bfloat16 values with float32 weights", () => {
    torch.scope(() => {
      const x = torch.randn([2, 4, 3, 8]);
      const layers = [
        new torch.nn.LayerNorm(8),
        new torch.nn.GroupNorm(2, 4),
        new torch.nn.BatchNorm2d(4),
        new InstanceNorm2d(4, { affine: true }),
      ];
      for (const layer of layers) {
        const y = layer.forward(x.to("bfloat16"));
        expect(y.dtype).toBe("bfloat16");
        expect(difference(y.to("float32"), layer.forward(x))).toBeLessThan(0.05);
      }
    });
  });
});

describe("ConvTranspose2d", () => {
  it.each([
    [2, 2],
    [
      [4, 3],
      [4, 3],
    ],
  ] as const)("without overlap (kernel %j) is the same in both memory orders", (kernel, stride) => {
    torch.scope(() => {
      const layer = new torch.nn.ConvTranspose2d(5, 3, kernel, { stride });
      const results = (["contiguous", "channels_last"] as const).map((memoryFormat) => {
        const x = golden
          .get("x")!
          .narrow(1, 0, 1)
          .mul(torch.arange(1, 6).reshape([1, 5, 1, 1]))
          .contiguous({ memoryFormat });
        const leaf = x.clone().requiresGrad_();
        layer.zeroGrad();
        const y = layer.forward(leaf);
        y.square().sum().backward();
        expect(y.isContiguous(memoryFormat)).toBe(true);
        return [y, leaf.grad!, layer.weight.grad!, layer.bias!.grad!];
      });
      for (const [i, tensor] of results[0]!.entries()) {
        const scale = Math.max(1, tensor.abs().max().item() as number);
        expect(difference(tensor, results[1]![i]!) / scale).toBeLessThan(1e-5);
      }
    });
  });
});
