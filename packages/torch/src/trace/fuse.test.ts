import { describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn } = torch;

/** ‖a − b‖/‖b‖. */
const apart = (a: Tensor, b: Tensor): number =>
  torch.scope(() => a.float().sub(b.float()).norm().div(b.float().norm()).item());

function randomStatistics<T extends torch.nn.Module>(module: T): T {
  torch.noGrad(() => {
    for (const [name, buffer] of module.eval().namedBuffers()) {
      if (name.endsWith("running_var")) buffer.copy_(torch.rand(buffer.shape).add(0.5));
      if (name.endsWith("running_mean")) buffer.copy_(torch.randn(buffer.shape).mul(0.1));
    }
  });
  return module;
}

class Net extends nn.Module {
  readonly stem = new nn.Conv2d(5, 8, 3, { padding: 1, bias: false });
  readonly norm = new nn.BatchNorm2d(8);
  readonly down = new nn.Conv2d(8, 8, 3, { padding: "same", groups: 2 });
  readonly downNorm = new nn.BatchNorm2d(8, { affine: false });
  readonly up = new nn.ConvTranspose2d(8, 8, 3, { stride: 2, padding: 1, outputPadding: 1 });
  readonly upNorm = new nn.BatchNorm2d(8);
  readonly head = new nn.Linear(8, 3);

  override forward(x: Tensor): Tensor {
    const first = this.norm.forward(this.stem.forward(x.permute([0, 3, 1, 2]))).relu_();
    const small = torch.maxPool2d(first, [2, 2]);
    const second = this.downNorm.forward(this.down.forward(small)).relu();
    const smaller = torch.maxPool2d(second, [2, 2]);
    const back = this.upNorm.forward(this.up.forward(second));
    const grow = (y: Tensor, scaleFactor: number) =>
      nn.functional.interpolate(y, { scaleFactor, mode: "bilinear", alignCorners: true });
    const sum = first.add(grow(second, 2));
    sum.add_(grow(smaller, 4));
    return this.head.forward(sum.add(back).permute([0, 2, 3, 1]));
  }
}

describe("fuseForInference", () => {
  it("folds batch normalisations in float32, to its rounding", () => {
    torch.manualSeed(2);
    const net = randomStatistics(new Net());
    const x = torch.randn([2, 8, 12, 5]);
    using graph = torch.trace(net, x);
    expect(torch.fuseForInference(graph)).toEqual({
      batchNorms: 3,
      packedConvolutions: 0,
      relus: 0,
      upsamplings: 0,
      castWeights: 0,
    });
    const result = torch.noGrad(() => new torch.GraphRunner(graph).run(x)[0]!);
    expect(
      apart(
        result,
        torch.noGrad(() => net.forward(x)),
      ),
    ).toBeLessThan(1e-6);
  });

  it("packs convolutions and sums upsampled maps in bfloat16, no farther from float32 than the plain forward", () => {
    torch.manualSeed(2);
    const net = randomStatistics(new Net());
    const x = torch.randn([2, 8, 12, 5]);
    const bf16 = <T>(fn: () => T): T => torch.inferenceMode(() => torch.autocast({ device: "cpu" }, fn));
    using graph = bf16(() => torch.trace(net, x));
    const fusions = torch.fuseForInference(graph);
    expect(fusions).toMatchObject({ batchNorms: 3, upsamplings: 2 });
    // oneDNN has bfloat16 convolutions from AVX-512 on; elsewhere they stay ATen's.
    if (torch.version().mkldnn && torch.cpuCapabilities().avx512)
      expect(fusions).toMatchObject({ packedConvolutions: 2, relus: 2 });
    const names = graph.nodes.map((node) => node.operator);
    expect(names).not.toContain("aten::batch_norm");
    expect(names.filter((name) => name === "foehn::add_upsampled")).toHaveLength(1);
    const runner = new torch.GraphRunner(graph);
    for (const batch of [1, 4]) {
      const given = torch.randn([batch, 8, 12, 5]);
      const exact = torch.noGrad(() => net.forward(given));
      const plain = bf16(() => net.forward(given));
      const fused = bf16(() => runner.run(given)[0]!);
      expect(fused.dtype).toBe(plain.dtype);
      expect(apart(fused, exact)).toBeLessThan(1.5 * apart(plain, exact));
      expect(apart(fused, exact)).toBeLessThan(1e-2);
    }
  });

  it("leaves alone what is used twice, or is not in evaluation mode", () => {
    const conv = new nn.Conv2d(2, 2, 1);
    const norm = randomStatistics(new nn.BatchNorm2d(2));
    const root = new nn.ModuleList([conv, norm]);
    using graph = torch.trace(
      (x) => {
        const y = conv.forward(x);
        return norm.forward(y).add(y);
      },
      torch.randn([2, 2, 3, 3]),
    );
    expect(root.modules()).toHaveLength(3);
    expect(torch.fuseForInference(graph).batchNorms).toBe(0);
  });

  it("frees everything with the graph", () => {
    torch.scope(() => {
      const net = randomStatistics(new Net());
      const x = torch.randn([2, 8, 12, 5]);
      const before = torch.memoryStats().liveTensors;
      const graph = torch.inferenceMode(() => torch.autocast({ device: "cpu" }, () => torch.trace(net, x)));
      torch.fuseForInference(graph);
      expect(torch.memoryStats().liveTensors).toBeGreaterThan(before);
      graph.dispose();
      expect(torch.memoryStats().liveTensors).toBe(before);
      expect(() => new torch.GraphRunner(graph).run(x)).toThrow(/dispose/);
    });
  });
});

describe("foehn::add_upsampled", () => {
  const up = (map: Tensor, size: readonly number[], alignCorners: boolean) =>
    nn.functional.interpolate(map, { size, mode: "bilinear", alignCorners });

  it.each([
    [21, true],
    [16, false],
    [3, true],
    [64, false],
  ])("is the sum of the base and the upsampled maps (%i channels, aligned corners %s)", (channels, aligned) => {
    torch.manualSeed(4);
    const size = [9, 14];
    const make = (h: number, w: number) => torch.randn([2, channels, h, w]);
    const [base, maps] = [make(9, 14), [make(3, 7), make(1, 1), make(9, 5)]];
    const exact = maps.reduce((sum, map) => sum.add(up(map, size, aligned)), base);
    const plain = torch.aten("foehn::add_upsampled", base, maps, size, aligned) as Tensor;
    expect(apart(plain, exact)).toBeLessThan(1e-6);
    const lower = (x: Tensor) => x.to({ dtype: "bfloat16", memoryFormat: "channels_last" });
    const low = torch.aten("foehn::add_upsampled", lower(base), maps.map(lower), size, aligned) as Tensor;
    expect(low.dtype).toBe("bfloat16");
    // Sum of what the maps are in bfloat16, rounded once: within half a unit of its last place.
    const rounded = maps.reduce((sum, map) => sum.add(up(lower(map).float(), size, aligned)), lower(base).float());
    const off = low.float().sub(rounded).abs().div(rounded.abs().add(1e-3)).max().item();
    expect(off).toBeLessThan(2 ** -8);
    const alone = torch.aten("foehn::add_upsampled", null, [lower(maps[0]!)], size, aligned) as Tensor;
    expect(apart(alone, up(lower(maps[0]!).float(), size, aligned))).toBeLessThan(3e-3);
  });

  it("keeps NaN and refuses other shapes", () => {
    const base = torch.full([1, 1, 2, 2], Number.NaN).bfloat16();
    const map = torch.ones([1, 1, 1, 1]).bfloat16();
    expect(torch.aten("foehn::add_upsampled", base, [map], [2, 2], true)).toSatisfy(
      (x: Tensor) => x.float().isnan().all().item() === 1,
    );
    expect(() => torch.aten("foehn::add_upsampled", base, [torch.ones([1, 2, 1, 1]).bfloat16()], [2, 2], true)).toThrow(
      /the base has \[1, 1, 2, 2\]/,
    );
  });
});
