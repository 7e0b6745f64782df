import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as torch from "./index.js";

interface Golden {
  gradients: { loss: number; w: number[]; b: number[]; second: number[] };
}
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/torch-engine/golden.json", import.meta.url), "utf8"),
) as Golden;
const leaf = (data: number[] | number[][], dtype: torch.DType = "float32"): torch.Tensor =>
  torch.tensor(data, { requiresGrad: true, dtype });
const close = (actual: torch.Tensor, expected: readonly number[]): void => {
  const values = [...actual.detach().reshape([-1]).toTypedArray()].map(Number);
  expect(values).toHaveLength(expected.length);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i] as number, 6);
};

/** Central differences of a scalar function in float64. */
function numericGradient(fn: (x: torch.Tensor) => torch.Tensor, x: torch.Tensor): number[] {
  const data = x.toTypedArray() as Float64Array;
  const eps = 1e-6;
  return Array.from(data, (_, i) => {
    const at = (delta: number): number =>
      torch.scope(() => {
        const moved = data.slice();
        moved[i] = (moved[i] as number) + delta;
        return fn(torch.tensor(moved, { shape: x.shape })).item();
      });
    return (at(eps) - at(-eps)) / (2 * eps);
  });
}

describe("backward", () => {
  it("accumulates into leaves", () => {
    const x = leaf([1, 2, 3]);
    x.mul(x).sum().backward();
    expect(x.grad?.toArray()).toEqual([2, 4, 6]);
    x.mul(3).sum().backward();
    expect(x.grad?.toArray()).toEqual([5, 7, 9]);
    x.grad = null;
    expect(x.grad).toBeNull();
    x.grad = torch.ones([3]);
    expect(x.grad?.toArray()).toEqual([1, 1, 1]);
    expect(() => {
      x.grad = torch.ones([2]);
    }).toThrow(/does not fit/);
  });
  it("takes a seed for a tensor that is not a scalar", () => {
    const x = leaf([1, 2]);
    x.mul(2).backward(torch.tensor([1, 10]));
    expect(x.grad?.toArray()).toEqual([2, 20]);
    expect(() => x.mul(2).backward()).toThrow(/scalar/);
  });
  it("frees the graph unless told to keep it", () => {
    const x = leaf([3]);
    const y = x.mul(x).sum();
    y.backward(null, { retainGraph: true });
    y.backward();
    expect(x.grad?.item()).toBe(12);
    expect(() => y.backward()).toThrow(/second time/);
  });
  it("may be limited to some leaves", () => {
    const a = leaf([2]);
    const b = leaf([5]);
    a.mul(b).backward(undefined, { inputs: [a] });
    expect([a.grad?.item(), b.grad]).toEqual([5, null]);
  });
  it("works on gradients of inner tensors, detached copies and several roots", () => {
    const x = leaf([1, 2]);
    const y = x.mul(2).retainGrad();
    const z = y.detach();
    torch.autograd.backward([y.sum(), y.mul(3).sum()]);
    expect(y.grad?.toArray()).toEqual([4, 4]);
    expect(x.grad?.toArray()).toEqual([8, 8]);
    expect([z.requiresGrad, y.requiresGrad, x.isLeaf, y.isLeaf]).toEqual([false, true, true, false]);
    expect(y.mul(1).grad).toBeNull();
  });
  it("has the gradients and second derivatives of PyTorch", () => {
    const w = leaf([
      [0.5, -0.3],
      [0.2, 0.8],
    ]);
    const b = leaf([0.1, -0.2]);
    const loss = torch
      .gelu(
        torch.linear(
          torch.tensor([
            [1, 2],
            [-1, 0.5],
          ]),
          w,
          { bias: b },
        ),
      )
      .pow(2)
      .mean();
    expect(loss.item()).toBeCloseTo(golden.gradients.loss, 6);
    const [gw, gb] = torch.autograd.grad(loss, [w, b], { createGraph: true });
    close(gw as torch.Tensor, golden.gradients.w);
    close(gb as torch.Tensor, golden.gradients.b);
    (gw as torch.Tensor).pow(2).sum().backward();
    close(w.grad as torch.Tensor, golden.gradients.second);
  });

  const functions: Record<string, (x: torch.Tensor) => torch.Tensor> = {
    "conv2d, GELU, mean": (x) =>
      torch
        .conv2d(x.reshape([1, 2, 3, 3]), torch.ones([2, 2, 2, 2], { dtype: "float64" }), { padding: [1, 1] })
        .gelu()
        .mean(),
    "softmax, log, entropy": (x) => x.softmax(0).mul(x.logSoftmax(0)).sum().neg(),
    "layer norm": (x) =>
      torch
        .layerNorm(x.reshape([3, 6]), [6])
        .pow(3)
        .sum(),
    "indexing and cat": (x) =>
      torch
        .cat([x.index({ start: 2, end: 9, step: 3 }), x.index(torch.tensor([0n, 0n, 5n]))])
        .sin()
        .sum(),
    "bilinear upsampling": (x) =>
      torch
        .upsampleBilinear2d(x.reshape([1, 2, 3, 3]), [5, 7], false)
        .pow(2)
        .sum(),
  };
  for (const [name, fn] of Object.entries(functions)) {
    it(`agrees with finite differences: ${name}`, () => {
      torch.manualSeed(1);
      const x = torch.randn([18], { dtype: "float64", requiresGrad: true });
      fn(x).backward();
      const numeric = numericGradient(fn, x.detach());
      const exact = x.grad?.toTypedArray() as Float64Array;
      for (const [i, value] of exact.entries()) expect(value).toBeCloseTo(numeric[i] as number, 6);
    });
  }
});

describe("autograd.grad", () => {
  it("leaves .grad alone", () => {
    const x = leaf([2]);
    const [g] = torch.autograd.grad(x.pow(3), x);
    expect([g?.item(), x.grad]).toEqual([12, null]);
  });
  it("gives null for unused inputs when allowed, an error otherwise", () => {
    const x = leaf([2]);
    const unused = leaf([1]);
    expect(torch.autograd.grad(x.mul(2), [x, unused], { allowUnused: true }).map((g) => g?.item() ?? null)).toEqual([
      2,
      null,
    ]);
    expect(() => torch.autograd.grad(x.mul(2), [x, unused])).toThrow(/allow_unused|not have been used/);
  });
  it("takes seeds", () => {
    const x = leaf([1, 2]);
    const [g] = torch.autograd.grad(x.mul(2), [x], { gradOutputs: torch.tensor([1, 3]) });
    expect(g?.toArray()).toEqual([2, 6]);
  });
});

describe("modes", () => {
  it("noGrad and enableGrad nest and end after errors", () => {
    const x = leaf([1]);
    torch.noGrad(() => {
      expect(x.mul(2).requiresGrad).toBe(false);
      expect(torch.enableGrad(() => x.mul(2).requiresGrad)).toBe(true);
      expect(torch.isGradEnabled()).toBe(false);
    });
    expect(() =>
      torch.noGrad(() => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(x.mul(2).requiresGrad).toBe(true);
  });
  it("inferenceMode makes tensors that autograd refuses", () => {
    const x = leaf([1]);
    const y = torch.inferenceMode(() => {
      expect(torch.isInferenceMode()).toBe(true);
      return x.mul(2);
    });
    expect(torch.isInferenceMode()).toBe(false);
    expect(y.requiresGrad).toBe(false);
    expect(() => y.mul(x)).toThrow(/[Ii]nference tensors/);
  });
  it("refuse asynchronous functions", () => {
    expect(() => torch.noGrad(async () => 1)).toThrow(/asynchronous/);
    expect(() => torch.autocast({}, async () => 1)).toThrow(/asynchronous/);
    expect(torch.isGradEnabled()).toBe(true);
    expect(torch.isAutocastEnabled()).toBe(false);
  });
  it("requiresGrad_ is for leaves of floating type", () => {
    expect(() => torch.arange(3).requiresGrad_()).toThrow(/floating/);
    const x = torch.ones([1]);
    x.requiresGrad = true;
    expect(x.requiresGrad_(false).requiresGrad).toBe(false);
  });
});

describe("autocast", () => {
  const x = torch.randn([4, 4]);
  it("casts products to bfloat16 and not sums; ends", () => {
    torch.autocast({}, () => {
      expect(torch.isAutocastEnabled()).toBe(true);
      expect(x.matmul(x).dtype).toBe("bfloat16");
      expect(x.add(x).dtype).toBe("float32");
      torch.autocast({ enabled: false }, () => expect(x.matmul(x).dtype).toBe("float32"));
      expect(x.matmul(x).dtype).toBe("bfloat16");
    });
    expect(torch.isAutocastEnabled()).toBe(false);
    expect(x.matmul(x).dtype).toBe("float32");
  });
  it("sees weights that changed since the last time: its cache ends with it", () => {
    const w = torch.eye(4).requiresGrad_();
    const product = (): number => torch.autocast({}, () => torch.linear(x.zero_().add_(1), w).sum().item());
    expect(product()).toBe(16);
    torch.noGrad(() => w.mul_(2));
    expect(product()).toBe(32);
  });
  it("passes gradients in the type of the weights", () => {
    const w = torch.ones([4, 4], { requiresGrad: true });
    torch.autocast({}, () => torch.linear(torch.ones([2, 4]), w).sum()).backward();
    expect(w.grad?.dtype).toBe("float32");
    expect(w.grad?.sum().item()).toBe(32);
  });
  it("knows cpu and cuda only", () => {
    expect(() => torch.autocast({ device: "tpu" as never }, () => 1)).toThrow(/"cpu" and "cuda"/);
    expect(() => torch.autocast({ dtype: "float23" as never }, () => 1)).toThrow(/unknown dtype "float23"/);
  });
});
