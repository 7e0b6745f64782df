// torch.graph against the operators it stands for: values, gradients by finite differences, broadcasting, types, errors.

import { describe, expect, it } from "vitest";
import type { Tensor } from "./index.js";
import * as torch from "./index.js";

const { graph } = torch;

/** 7 edges from 4 senders to 5 receivers; receiver 2 has none, sender 3 has none. */
const small = () =>
  new graph.EdgeIndex({
    senders: Int32Array.of(1, 0, 2, 2, 1, 0, 1),
    receivers: Int32Array.of(0, 0, 1, 3, 3, 3, 4),
    numSenders: 4,
    numReceivers: 5,
  });

/** Many random edges, enough for several threads. */
function large(): InstanceType<typeof graph.EdgeIndex> {
  const [count, numSenders, numReceivers] = [20_000, 311, 1999];
  const pick = (size: number) => Int32Array.from({ length: count }, (_, i) => (i * 7919 + ((i * i) % 613)) % size);
  return new graph.EdgeIndex({
    senders: pick(numSenders),
    receivers: pick(numReceivers).sort(),
    numSenders,
    numReceivers,
  });
}

const difference = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item();
const randn = (shape: number[], dtype: torch.DType = "float64") => torch.randn(shape).to(dtype).requiresGrad_();

/** Largest difference between the gradient of Σ w·f and central differences, over all entries of all inputs. */
function gradientError(inputs: Tensor[], f: () => Tensor[]): number {
  const weights = f().map((y) => torch.randn(y.shape).to("float64"));
  const value = () =>
    f().reduce((sum, y, i) => sum.add(y.mul(weights[i]!).sum()), torch.zeros([], { dtype: "float64" }));
  value().backward();
  let worst = 0;
  for (const input of inputs) {
    const flat = input.detach().reshape([-1]);
    const gradient = input.grad!.reshape([-1]);
    for (let i = 0; i < flat.numel(); i++) {
      const at = (step: number): number =>
        torch.noGrad(() => {
          flat.narrow(0, i, 1).add_(step);
          const result = value().item();
          flat.narrow(0, i, 1).add_(-step);
          return result;
        });
      worst = Math.max(worst, Math.abs((at(1e-5) - at(-1e-5)) / 2e-5 - gradient.narrow(0, i, 1).item()));
    }
  }
  return worst;
}

describe("torch.graph", () => {
  it.each([
    ["float32", 1e-5],
    ["float64", 1e-12],
    ["bfloat16", 0.06],
  ] as const)("edgeSum is index_select and add, %s", (dtype, tolerance) => {
    torch.scope(() => {
      const index = large();
      for (const silu of [false, true]) {
        const [edge, sender, receiver] = [
          randn([2, 20_000, 24], dtype),
          randn([1, 311, 24], dtype),
          randn([1999, 24], dtype),
        ];
        const inputs = [edge, sender, receiver];
        const y = graph.edgeSum(index, edge, sender, receiver, { silu });
        const sum = edge
          .double()
          .add(sender.double().indexSelect(1, index.senders))
          .add(receiver.double().indexSelect(0, index.receivers));
        const expected = silu ? torch.silu(sum) : sum;
        expect(y.dtype).toBe(dtype);
        expect(difference(y.double(), expected)).toBeLessThan(tolerance);
        const seed = torch.randn(y.shape);
        y.backward(seed.to(dtype));
        const own = inputs.map((input) => input.grad!.double());
        for (const input of inputs) input.grad = null;
        expected.backward(seed.double());
        for (const [i, input] of inputs.entries()) {
          const scale = 1 + input.grad!.abs().max().item();
          expect(own[i]!.shape).toEqual(input.shape);
          expect(difference(own[i]!, input.grad!.double()) / scale).toBeLessThan(tolerance);
        }
      }
    });
  });

  it.each([
    ["float32", 1e-4],
    ["float64", 1e-11],
    ["bfloat16", 0.06],
  ] as const)("normSum is layer_norm and index_add, %s", (dtype, tolerance) => {
    torch.scope(() => {
      const index = large();
      for (const width of [24, 64]) {
        const rows = randn([2, 20_000, width], dtype);
        const parameter = (values: number) =>
          torch
            .randn([width])
            .mul(0.3)
            .add(values)
            .to(dtype === "float64" ? dtype : "float32")
            .requiresGrad_();
        const [weight, bias, shift] = [parameter(1), parameter(0), parameter(0)];
        const residual = randn([20_000, width], dtype);
        const inputs = [rows, weight, bias, shift, residual];
        const own = graph.normSum(index, rows, { weight, bias, shift, eps: 1e-5 }, residual);
        const x = rows.double().add(shift.double());
        const norm = torch.layerNorm(x, [width], { weight: weight.double(), bias: bias.double() });
        const sums = torch.zeros([2, 1999, width], { dtype: "float64" }).indexAdd(1, index.receivers, norm);
        const expected = [sums, norm.add(residual.double())];
        const given = [own.sums, own.rows!];
        const seeds = expected.map((y) => torch.randn(y.shape));
        for (const [i, y] of expected.entries()) {
          expect(given[i]!.dtype).toBe(dtype);
          expect(difference(given[i]!.double(), y) / (1 + y.abs().max().item())).toBeLessThan(tolerance);
        }
        torch.autograd.backward(
          given,
          seeds.map((seed) => seed.to(dtype)),
        );
        const gradients = inputs.map((input) => input.grad!.double());
        for (const input of inputs) input.grad = null;
        torch.autograd.backward(
          expected,
          seeds.map((seed) => seed.double()),
        );
        for (const [i, input] of inputs.entries()) {
          const scale = 1 + input.grad!.abs().max().item();
          expect(difference(gradients[i]!, input.grad!.double()) / scale, `input ${i}`).toBeLessThan(tolerance);
        }
      }
    });
  });

  it("has the gradients that finite differences show", () => {
    torch.scope(() => {
      const index = small();
      const [edge, sender, receiver] = [randn([7, 3]), randn([2, 4, 3]), randn([2, 5, 3])];
      const terms = [edge, sender, receiver];
      expect(gradientError(terms, () => [graph.edgeSum(index, edge, sender, receiver, { silu: true })])).toBeLessThan(
        1e-8,
      );
      const [weight, bias, shift] = [randn([3]), randn([3]), randn([3])];
      const [rows, residual] = [randn([2, 7, 3]), randn([1, 7, 3])];
      const norm = { weight, bias, shift, eps: 1e-5 };
      const both = () => {
        const { sums, rows: kept } = graph.normSum(index, rows, norm, residual);
        return [sums, kept!];
      };
      expect(gradientError([rows, weight, bias, shift, residual], both)).toBeLessThan(1e-6);
      const [a, b] = [randn([4, 3]), randn([4, 3])];
      expect(gradientError([a, b], () => [graph.silu(a, b)])).toBeLessThan(1e-8);
      const c = randn([4, 3]);
      expect(gradientError([c], () => [graph.silu(c)])).toBeLessThan(1e-8);
      const [d, e] = [randn([6, 3]), randn([6, 3])];
      const plain = { weight: randn([3]), bias: randn([3]), eps: 1e-5 };
      expect(gradientError([d, e, plain.weight, plain.bias], () => [graph.layerNorm(d, plain, e)])).toBeLessThan(1e-6);
    });
  });

  it("gives zeros to nodes without edges, and keeps infinities and NaN apart", () => {
    torch.scope(() => {
      const index = small();
      const norm = { weight: torch.ones([4]), bias: torch.ones([4]), eps: 1e-5 };
      const { sums } = graph.normSum(index, torch.randn([1, 7, 4]), norm);
      expect(sums.select(1, 2).abs().max().item()).toBe(0);
      const x = torch.tensor([-1000, -90, 0, 90, 1000, Number.NaN]);
      for (const dtype of ["float32", "bfloat16"] as const) {
        const y = [...(graph.silu(x.to(dtype)).float().toTypedArray() as Float32Array)];
        expect(y[0]).toBeCloseTo(0, 6);
        expect(y[2]).toBe(0);
        expect(y[4]! / 1000).toBeCloseTo(1, 2);
        expect(y[5]).toBeNaN();
      }
    });
  });

  it("gives the same bits with any number of threads", () => {
    torch.scope(() => {
      const index = large();
      const rows = randn([1, 20_000, 64], "float32");
      const weight = randn([64], "float32");
      const bias = randn([64], "float32");
      const before = torch.getNumThreads();
      const run = (threads: number) => {
        torch.setNumThreads(threads);
        for (const input of [rows, weight, bias]) input.grad = null;
        graph.normSum(index, rows, { weight, bias, eps: 1e-5 }).sums.square().sum().backward();
        return [rows.grad!.clone(), weight.grad!.clone(), bias.grad!.clone()];
      };
      const [one, two] = [run(1), run(2)];
      torch.setNumThreads(before);
      for (const [i, gradient] of one.entries()) expect(torch.equal(gradient, two[i]!)).toBe(true);
    });
  });

  it("is made of operators in a trace", () => {
    torch.scope(() => {
      const index = small();
      const [edge, receiver] = [torch.randn([7, 3]), torch.randn([5, 3])];
      const f = (sender: Tensor) => graph.edgeSum(index, edge, sender, receiver, { silu: true });
      expect(String(torch.trace(f, torch.randn([2, 4, 3])))).toMatch(/index_select/);
    });
  });

  it("says what does not fit", () => {
    const make = (senders: number[], receivers: number[]) => () =>
      new graph.EdgeIndex({
        senders: Int32Array.from(senders),
        receivers: Int32Array.from(receivers),
        numSenders: 3,
        numReceivers: 3,
      });
    expect(make([0, 3], [0, 1])).toThrow(/sender 3 is outside 0 to 2/);
    expect(make([0, 1], [0, -1])).toThrow(/receiver -1 is outside/);
    expect(make([0, 1], [1, 0])).toThrow(/must ascend/);
    expect(make([0], [0, 1])).toThrow(/1 senders for 2 receivers/);
    torch.scope(() => {
      const index = small();
      const [edge, receiver] = [torch.randn([7, 3]), torch.randn([5, 3])];
      expect(() => graph.edgeSum(index, edge, receiver, receiver)).toThrow(
        /term of senders is float32\[5, 3\], expected \(batch, 4, 3\)/,
      );
      expect(() => graph.edgeSum(index, edge, torch.randn([2, 4, 3]), torch.randn([3, 5, 3]))).toThrow(
        /different batch sizes/,
      );
      const norm = { weight: torch.ones([3]), bias: torch.ones([3]), eps: 1e-5 };
      expect(() => graph.normSum(index, torch.randn([1, 8, 3]), norm)).toThrow(/there are 7 edges/);
      expect(() => graph.layerNorm(torch.randn([8, 4]), norm)).toThrow(/layer norm of/);
      expect(() => graph.silu(torch.ones([3], { dtype: "int32" }))).toThrow(/float32, float64 or bfloat16, got int32/);
    });
  });

  it("refuses second derivatives instead of giving none", () => {
    const index = small();
    const [edge, sender, receiver] = [randn([7, 3]), randn([4, 3]), randn([5, 3])];
    const norm = { weight: randn([3]), bias: randn([3]), eps: 1e-5 };
    const results = [
      () => graph.edgeSum(index, edge, sender, receiver, { silu: true }),
      () => graph.silu(edge),
      () => graph.layerNorm(edge, norm),
    ];
    for (const f of results) {
      expect(() => torch.autograd.grad(f().sum(), [edge], { createGraph: true })).toThrow(
        /cannot be differentiated again/,
      );
      expect(torch.autograd.grad(f().sum(), [edge])[0]!.shape).toEqual([7, 3]);
    }
  });
});
