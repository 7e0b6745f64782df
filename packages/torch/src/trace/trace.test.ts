import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn } = torch;

/** A forward, traced on two samples, against itself on other batch sizes. */
function agrees(forward: ((x: Tensor) => Tensor) | torch.nn.Module, shape: readonly number[]): torch.Graph {
  const graph = torch.trace(forward, torch.randn([2, ...shape]));
  const runner = new torch.GraphRunner(graph);
  const call = forward instanceof nn.Module ? (x: Tensor) => (forward as torch.nn.UnaryModule).forward(x) : forward;
  for (const batch of [1, 2, 5]) {
    const x = torch.randn([batch, ...shape]);
    const copy = x.clone();
    const [expected, actual] = torch.noGrad(() => [call(x.clone()), runner.run(x)[0]!] as const);
    expect(actual.shape).toEqual(expected.shape);
    expect(torch.equal(actual, expected), `batch ${batch}\n${graph}`).toBe(true);
    expect(torch.equal(x, copy)).toBe(true);
  }
  return graph;
}

const refusal = (forward: (x: Tensor) => Tensor, shape: readonly number[] = [2, 4]): string => {
  try {
    torch.trace(forward, torch.randn(shape as number[]));
  } catch (error) {
    expect(error).toMatchObject({ name: "TorchError", code: "ERR_TORCH_TRACE" });
    return (error as Error).message;
  }
  throw new Error("it was traced");
};

describe("trace", () => {
  beforeEach(() => {
    torch.manualSeed(1);
  });

  it("records calls with their module, and constants by their name", () => {
    const net = new nn.Sequential({ first: new nn.Linear(4, 3), act: new nn.ReLU({ inplace: true }) }).eval();
    const graph = agrees(net, [4]);
    expect(graph.nodes.map((node) => [node.operator, node.path])).toEqual([
      ["aten::linear", "first"],
      ["aten::relu", "act"],
    ]);
    expect(graph.constants().map((value) => value.name)).toEqual(["first.weight", "first.bias"]);
    expect(String(graph)).toContain("%3 = aten::linear(%input0, %first.weight, %first.bias)  # first");
    expect(String(graph)).toContain("float32[B, 3]");
    expect(Object.keys(net)).not.toContain("forward");
  });

  it("keeps the batch open in sizes that are multiples of it", () => {
    const graph = agrees(
      (x) =>
        x
          .reshape([x.size(0) * 2, 2])
          .add(torch.ones([x.size(0), 2]).sum())
          .view([x.size(0), 4]),
      [4],
    );
    expect(String(graph)).toContain("aten::reshape(%input0, [2B, 2])");
  });

  it("renames what is written in place, and keeps the inputs", () => {
    agrees(
      (x) => {
        const y = x.mul(2);
        const z = y.add(1);
        y.add_(z);
        y.relu_();
        return y.add(z);
      },
      [3],
    );
    agrees((x) => x.add_(1).mul_(2), [3]);
    agrees(
      (x) => {
        const y = x.mul(2);
        const same = y.detach();
        y.add_(1);
        return same.add(y);
      },
      [3],
    );
  });

  it("computes at once what follows from constants", () => {
    const graph = agrees((x) => x.mul(torch.arange(4).to("float32").add(1).sqrt()), [4]);
    expect(graph.nodes.map((node) => node.operator)).toEqual(["aten::mul"]);
    graph.dispose();
  });

  it("follows lists and several results", () => {
    agrees((x) => torch.cat(x.chunk(3, { dim: 1 }).reverse(), { dim: 1 }), [6]);
    agrees((x) => torch.stack([x.max(1)[0], x.min(1)[0]], { dim: 1 }), [6]);
    const graph = torch.trace((x) => [x.add(1), x.mul(2)], torch.randn([2, 3]));
    const x = torch.randn([4, 3]);
    const outputs = new torch.GraphRunner(graph).run(x);
    expect(torch.equal(outputs[1]!, x.mul(2))).toBe(true);
  });

  it("refuses what no graph can stand for, with place and reason", () => {
    expect(refusal((x) => x.mul(x.sum().item()))).toMatch(/item\(\) is called .* follows from the inputs/);
    expect(refusal((x) => (x.size(0) > 2 ? x.relu() : x.tanh()))).toMatch(
      /calls aten::tanh with 2 samples, and aten::relu with 3/,
    );
    expect(refusal((x) => x.reshape([x.size(0) + 1, -1]), [3, 20])).toMatch(/is 4 with 3 samples, and 5 with 4/);
    expect(
      refusal((x) => {
        const y = x.mul(2);
        const view = y.narrow(1, 0, 2);
        view.add_(1);
        return y;
      }),
    ).toMatch(/used after aten::add_.Scalar wrote into memory that it shares|used after aten::add_.Tensor wrote/);
    expect(refusal((x) => x.add(torch.tensor([Math.random()])))).toMatch(/changes with the batch or from call to call/);
    expect(() => torch.trace((x) => x, torch.randn([1, 2]))).toThrow(/one batch of two or more/);
    const net = new nn.Sequential(new nn.BatchNorm2d(2));
    expect(() => torch.trace(net, torch.randn([2, 2, 3, 3]))).toThrow(
      /changes 0.num_batches_tracked .* evaluation mode/,
    );
  });

  it("refuses other shapes and types at the run", () => {
    const runner = new torch.GraphRunner(torch.trace((x) => x.relu(), torch.randn([2, 3])));
    expect(() => runner.run(torch.randn([2, 4]))).toThrow(/float32\[B, 3\], got float32\[2, 4\]/);
    expect(() => runner.run(torch.randn([2, 3]).double())).toThrow(/got float64/);
  });

  it("traces for one batch size when asked to", () => {
    const graph = torch.trace((x) => x.sum().mul(x.size(0) + 1), torch.randn([1, 3]), { dynamicBatch: false });
    expect(String(graph)).toContain("aten::mul.Scalar(%1, 2)");
    expect(() => new torch.GraphRunner(graph).run(torch.randn([2, 3]))).toThrow(/got float32\[2, 3\]/);
  });
});

describe("memory of traces", () => {
  let before = 0;
  beforeEach(() => {
    before = torch.memoryStats().liveTensors;
  });
  afterEach(() => {
    expect(torch.memoryStats().liveTensors).toBe(before);
  });

  it("frees what it made", () => {
    torch.scope(() => {
      const table = torch.tensor([1, 2, 3]);
      const graph = torch.trace((x) => x.add(table).mul(torch.arange(3)).relu_().add(1), torch.randn([2, 3]));
      const runner = new torch.GraphRunner(graph);
      const live = torch.memoryStats().liveTensors;
      const x = torch.randn([2, 3]);
      for (let i = 0; i < 3; i++) runner.run(x)[0]!.dispose();
      expect(torch.memoryStats().liveTensors).toBe(live + 1);
      graph.dispose();
    });
    torch.scope(() => {
      const table = torch.tensor([1, 2, 3]);
      const x = torch.randn([2, 3]);
      expect(() => torch.trace((y) => y.add(table).mul(y.sum().item()), x)).toThrow();
      expect(() => torch.trace((y) => y.add(table).reshape([y.size(0) + 1, -1]), torch.randn([2, 30]))).toThrow();
    });
  });
});
