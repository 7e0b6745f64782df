// Layers, initialisation and losses against PyTorch's own numbers (test/golden/torch/make_golden.py).
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn } = torch;
const golden = (name: string) =>
  torch.npy.loadNpz(fileURLToPath(new URL(`../../../../test/golden/torch/${name}`, import.meta.url)));

/** Largest |a − b| relative to max(1, |b|). */
function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [a.detach().double().toTypedArray(), b.double().toTypedArray()] as [Float64Array, Float64Array];
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i]!) / Math.max(1, Math.abs(y[i]!))), 0);
}

describe("initial values", () => {
  const expected = golden("init.npz");
  const layers: Record<string, () => torch.nn.Module> = {
    linear: () => new nn.Linear(7, 5),
    conv: () => new nn.Conv2d(3, 4, 3),
    conv_groups: () => new nn.Conv2d(4, 8, [3, 5], { groups: 2, bias: false }),
    conv_transpose: () => new nn.ConvTranspose2d(4, 6, 2, { groups: 2 }),
    embedding: () => new nn.Embedding(10, 4, { paddingIdx: 2 }),
    batch_norm: () => new nn.BatchNorm2d(3),
    group_norm: () => new nn.GroupNorm(2, 4),
    layer_norm: () => new nn.LayerNorm([3, 2]),
    prelu: () => new nn.PReLU(),
    sequential: () =>
      new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3), new nn.ReLU(), new nn.Conv2d(3, 1, 1)),
  };

  it.each(Object.keys(layers))("of %s are PyTorch's, to the bit, with its names, order, shapes and types", (name) => {
    torch.manualSeed(123);
    const state = layers[name]!().stateDict();
    const keys = [...expected.keys()].filter((key) => key.startsWith(`${name}.`));
    expect([...state.keys()].map((key) => `${name}.${key}`)).toEqual(keys);
    for (const [key, tensor] of state) {
      const wanted = expected.get(`${name}.${key}`)!;
      expect(tensor.dtype).toBe(wanted.dtype);
      expect(tensor.shape).toEqual(wanted.shape);
      expect(tensor.toTypedArray()).toEqual(wanted.toTypedArray());
    }
  });

  it.each<[string, (t: Tensor) => Tensor]>([
    ["uniform", (t) => nn.init.uniform_(t, -2, 3)],
    ["normal", (t) => nn.init.normal_(t, 1, 0.5)],
    ["trunc_normal", (t) => nn.init.truncNormal_(t, 0, 0.02)],
    ["trunc_normal_cut", (t) => nn.init.truncNormal_(t, 0.1, 1, -0.5, 0.7)],
    ["kaiming_uniform", (t) => nn.init.kaimingUniform_(t, { nonlinearity: "relu" })],
    ["kaiming_normal", (t) => nn.init.kaimingNormal_(t, { mode: "fan_out", nonlinearity: "relu" })],
    ["xavier_uniform", (t) => nn.init.xavierUniform_(t, 5 / 3)],
    ["xavier_normal", (t) => nn.init.xavierNormal_(t)],
  ])("of init.%s are PyTorch's, to the bit", (name, fill) => {
    torch.manualSeed(123);
    const tensor = fill(torch.empty([6, 4, 3]));
    expect(tensor.toTypedArray()).toEqual(expected.get(`init.${name}`)!.toTypedArray());
  });

  it("says what is wrong when fans make no sense", () => {
    expect(() => nn.init.kaimingUniform_(torch.zeros([3]))).toThrow(/at least 2 dimensions.*\[3\]/);
  });
});

describe("layers", () => {
  const expected = golden("layers.npz");
  const layers: Record<string, () => torch.nn.UnaryModule> = {
    conv_same: () => new nn.Conv2d(4, 3, 3, { padding: "same", dilation: 2 }),
    conv_stride: () => new nn.Conv2d(4, 3, [3, 2], { stride: 2, padding: [1, 0] }),
    conv_reflect: () => new nn.Conv2d(4, 3, 3, { padding: 1, paddingMode: "reflect" }),
    conv_circular: () => new nn.Conv2d(4, 3, 3, { padding: "same", paddingMode: "circular" }),
    conv_groups: () => new nn.Conv2d(4, 4, 3, { groups: 4, bias: false }),
    conv_transpose: () => new nn.ConvTranspose2d(4, 2, 3, { stride: 2, padding: 1, outputPadding: 1 }),
    linear: () => new nn.Linear(5, 3),
    batch_norm: () => new nn.BatchNorm2d(4),
    batch_norm_average: () => new nn.BatchNorm2d(4, { momentum: null }),
    group_norm: () => new nn.GroupNorm(2, 4),
    layer_norm: () => new nn.LayerNorm([6, 5]),
    max_pool: () => new nn.MaxPool2d(2, { stride: 1, padding: 1 }),
    avg_pool: () => new nn.AvgPool2d(2, { ceilMode: true, countIncludePad: false }),
    adaptive_pool: () => new nn.AdaptiveAvgPool2d([3, 2]),
    upsample_nearest: () => new nn.Upsample({ scaleFactor: 2 }),
    upsample_bilinear: () => new nn.UpsamplingBilinear2d({ scaleFactor: 2 }),
    upsample_size: () => new nn.Upsample({ size: [9, 11], mode: "bilinear" }),
    upsample_bicubic: () => new nn.Upsample({ scaleFactor: 1.5, mode: "bicubic", alignCorners: true }),
    softmax: () => new nn.Softmax(1),
  };

  it.each(Object.keys(layers))("%s gives PyTorch's output, gradient and buffers", (name) => {
    const layer = layers[name]!();
    const state = [...expected].filter(([key]) => key.startsWith(`${name}/`));
    layer.loadStateDict(new Map(state.map(([key, tensor]) => [key.slice(name.length + 1), tensor])));
    const x = expected.get("x")!;
    const leaf = x.clone().requiresGrad_();
    const y = layer.forward(leaf);
    expect(difference(y, expected.get(`${name}:y`)!)).toBeLessThan(1e-5);
    const weights = torch
      .arange(1, y.numel() + 1)
      .reshape(y.shape)
      .mul(0.1);
    y.mul(weights).sum().backward();
    expect(difference(leaf.grad!, expected.get(`${name}:grad`)!)).toBeLessThan(5e-5);
    for (const [key, buffer] of layer.namedBuffers()) {
      expect(difference(buffer, expected.get(`${name}:${key}`)!)).toBeLessThan(1e-6);
    }
    const inEval = expected.get(`${name}:eval`);
    if (inEval !== undefined) expect(difference(layer.eval().forward(x), inEval)).toBeLessThan(1e-5);
  });

  const activations = [...expected.keys()].filter((key) => key.startsWith("activation:"));
  it.each(activations.map((key) => key.slice(11)))("activation %s is PyTorch's", (name) => {
    const y = nn.activation(name).forward(expected.get("line")!);
    expect(difference(y, expected.get(`activation:${name}`)!)).toBeLessThan(1e-6);
  });

  it("covers every activation but those that need another shape", () => {
    const seen = new Set(activations.map((key) => key.slice(11)));
    expect(nn.activationNames.filter((name) => !seen.has(name))).toEqual(["GLU", "Softmax2d"]);
  });

  it.each(["mean", "sum", "none"] as const)("losses with reduction %s are PyTorch's", (reduction) => {
    const [x, y, classes] = ["x", "target", "classes"].map((key) => expected.get(key)!) as [Tensor, Tensor, Tensor];
    const F = nn.functional;
    const results = {
      mse: F.mseLoss(x, y, { reduction }),
      l1: F.l1Loss(x, y, { reduction }),
      smooth: F.smoothL1Loss(x, y, { reduction, beta: 0.5 }),
      huber: F.huberLoss(x, y, { reduction, delta: 0.5 }),
      cross: F.crossEntropy(x.select(2, 0), classes, { reduction, labelSmoothing: 0.1 }),
      bce: F.binaryCrossEntropyWithLogits(x, y.sigmoid(), { reduction }),
    };
    for (const [name, value] of Object.entries(results)) {
      expect(difference(value, expected.get(`loss:${name}:${reduction}`)!), name).toBeLessThan(1e-6);
    }
  });
});
