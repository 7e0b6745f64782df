import { describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn } = torch;

class Block extends nn.Module {
  readonly norm = new nn.BatchNorm2d(2);
  readonly conv = new nn.Conv2d(2, 2, 1);
  readonly scale = new nn.Parameter(torch.ones([2]));
  declare readonly mean: Tensor;
  readonly constant = torch.ones([3]); // a plain tensor is not state

  constructor() {
    super();
    this.registerBuffer("mean", torch.zeros([2]));
    this.registerBuffer("scratch", torch.zeros([1]), { persistent: false });
  }

  override forward(x: Tensor): Tensor {
    return this.conv.forward(this.norm.forward(x));
  }
}

class Net extends nn.Module {
  readonly blocks = new nn.ModuleList([new Block(), new Block()]);
  readonly heads = new nn.ModuleDict({ a: new nn.Linear(2, 1, { bias: false }) });
  readonly again = this.blocks.at(0);

  override forward(x: Tensor): Tensor {
    return [...this.blocks].reduce((y, block) => block.forward(y), x);
  }
}

/** Tensors made and not freed on purpose; unlike `liveTensors` it does not change when the collector frees leftovers of other tests. */
const held = () => torch.memoryStats().liveTensors + torch.memoryStats().collected;

describe("Module", () => {
  it("finds parameters, buffers and modules in PyTorch's order and names, each once", () => {
    const block = (prefix: string) => [
      `${prefix}scale`,
      `${prefix}norm.weight`,
      `${prefix}norm.bias`,
      `${prefix}conv.weight`,
      `${prefix}conv.bias`,
    ];
    const net = new Net();
    expect([...net.namedParameters().keys()]).toEqual([...block("blocks.0."), ...block("blocks.1."), "heads.a.weight"]);
    expect([...net.namedBuffers().keys()].slice(0, 5)).toEqual([
      ...["mean", "scratch", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"].map(
        (n) => `blocks.0.${n}`,
      ),
    ]);
    expect([...net.namedModules().keys()].slice(0, 5)).toEqual([
      "",
      "blocks",
      "blocks.0",
      "blocks.0.norm",
      "blocks.0.conv",
    ]);
    expect([...net.namedModules().keys()]).not.toContain("again");
    // the state dict has what is not shared under one name only: everything, under every name
    const keys = [...net.stateDict().keys()];
    expect(keys).toContain("again.conv.weight");
    expect(keys).not.toContain("blocks.0.scratch");
    expect(keys).not.toContain("blocks.0.constant");
    expect(keys.slice(0, 2)).toEqual(["blocks.0.scale", "blocks.0.mean"]);
    expect(net.numParameters()).toBe(2 * (2 + 4 + 6) + 2);
    expect(net.getSubmodule("blocks.1.conv")).toBe(net.blocks.at(1).conv);
    expect(() => net.getSubmodule("blocks.7")).toThrow(/ModuleList has no child "7" \(it has 0, 1\)/);
  });

  it("refuses modules in a plain array, which would silently not train", () => {
    class Wrong extends nn.Module {
      readonly layers = [new nn.Linear(1, 1)];
      override forward(): void {}
    }
    expect(() => new Wrong().parameters()).toThrow(/Wrong.layers is a plain array.*nn.ModuleList/);
  });

  it("has no parameter where a field is null, and none in a buffer's place", () => {
    const layer = new nn.Linear(2, 3, { bias: false });
    expect([...layer.stateDict().keys()]).toEqual(["weight"]);
    expect([...new nn.BatchNorm2d(2, { affine: false, trackRunningStats: false }).stateDict().keys()]).toEqual([]);
  });

  it("switches training mode everywhere", () => {
    const net = new Net();
    expect(net.training).toBe(true);
    expect(
      net
        .eval()
        .modules()
        .every((module) => !module.training),
    ).toBe(true);
    expect(
      net
        .train()
        .modules()
        .every((module) => module.training),
    ).toBe(true);
  });

  it("shares memory with its state dict, and copies when loading", () => {
    const layer = new nn.Linear(1, 1);
    const state = layer.stateDict();
    torch.noGrad(() => layer.weight.fill_(3));
    expect(state.get("weight")!.item()).toBe(3);
    expect(state.get("weight")!.requiresGrad).toBe(false);
    const other = new nn.Linear(1, 1);
    other.loadStateDict(state);
    torch.noGrad(() => layer.weight.fill_(4));
    expect(other.weight.item()).toBe(3);
    expect(other.weight.requiresGrad).toBe(true);
  });

  it("converts types on loading", () => {
    const layer = new nn.Linear(1, 1, { bias: false });
    layer.loadStateDict({ weight: torch.full([1, 1], 2, { dtype: "float64" }) });
    expect(layer.weight.dtype).toBe("float32");
    expect(layer.weight.item()).toBe(2);
  });

  it("lists everything that does not fit, with nearest names, and then copies nothing", () => {
    const net = new nn.Sequential({ conv: new nn.Conv2d(1, 1, 1), norm: new nn.BatchNorm2d(1) });
    const before = net.stateDict().get("conv.weight")!.item();
    const state = net.stateDict();
    state.set("conv.weight", torch.full([1, 1, 1, 1], 9));
    state.set("conv.bias", torch.zeros([2]));
    state.set("norm.wieght", state.get("norm.weight")!);
    state.delete("norm.weight");
    let error: unknown;
    try {
      net.loadStateDict(state);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(nn.StateDictError);
    const problem = error as torch.nn.StateDictError;
    expect(problem.missing).toEqual(["norm.weight"]);
    expect(problem.unexpected).toEqual(["norm.wieght"]);
    expect(problem.misshaped).toEqual([{ name: "conv.bias", expected: [1], got: [2] }]);
    expect(problem.message).toContain('wrong shape: "conv.bias" is [1] in the model, [2] in the state dict');
    expect(problem.message).toContain('missing: "norm.weight" [1] (nearest on the other side: "norm.wieght")');
    expect(net.stateDict().get("conv.weight")!.item()).toBe(before);

    state.delete("conv.bias");
    expect(net.loadStateDict(state, { strict: false })).toEqual({
      missing: ["conv.bias", "norm.weight"],
      unexpected: ["norm.wieght"],
    });
    expect(net.stateDict().get("conv.weight")!.item()).toBe(9);
  });

  it("points out a prefix that all names have too many", () => {
    const layer = new nn.Linear(1, 1);
    const state = new Map([...layer.stateDict()].map(([name, tensor]) => [`model.${name}`, tensor]));
    expect(() => layer.loadStateDict(state)).toThrow(/every name in the state dict starts with "model\."; remove it/);
  });

  it("moves type and layout in place, so that optimizers and gradients stay valid", () => {
    const layer = new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3));
    const [weight] = layer.parameters();
    layer
      .forward(torch.ones([1, 2, 4, 4]))
      .sum()
      .backward();
    layer.to({ dtype: "float64", memoryFormat: "channels_last" });
    expect(layer.parameters()[0]).toBe(weight);
    expect(weight!.dtype).toBe("float64");
    expect(weight!.isContiguous("channels_last")).toBe(true);
    expect(weight!.grad!.dtype).toBe("float64");
    expect(weight!.requiresGrad).toBe(true);
    expect(
      layer
        .getSubmodule("1")
        .buffers()
        .map((buffer) => buffer.dtype),
    ).toEqual(["float64", "float64", "int64"]);
    layer.zeroGrad();
    const x = torch.ones([1, 2, 4, 4], { dtype: "float64" });
    layer.forward(x).sum().backward();
    expect(weight!.grad!.dtype).toBe("float64");
    layer.zeroGrad();
    expect(weight!.grad).toBeNull();
  });

  it("prints as a tree", () => {
    const text = String(new nn.Sequential(new nn.Linear(1, 2), new nn.Sequential(new nn.ReLU())));
    expect(text).toBe(
      "Sequential(\n  (0): Linear(inFeatures=1, outFeatures=2, bias=true)\n  (1): Sequential(\n    (0): ReLU()\n  )\n)",
    );
  });

  it("survives the scope that made it when it is returned, and is freed by dispose", () => {
    const before = held();
    const block = torch.scope(() => new Block());
    expect(held() - before).toBe(2 + 5 + 3 + 1); // norm, conv, scale and its buffers, and the plain tensor
    expect(block.constant.isDisposed).toBe(false);
    block.dispose();
    block.constant.dispose();
    const layer = torch.scope(() => new nn.BatchNorm2d(3));
    expect(held() - before).toBe(5);
    expect(layer.weight!.sum().item()).toBe(3);
    torch.scope(() => layer.forward(torch.ones([1, 3, 2, 2])));
    layer.dispose();
    expect(layer.weight!.isDisposed).toBe(true);
  });
});

describe("leftovers", () => {
  it("are not made by building, moving, loading, zeroing or asking for parameters", () => {
    const net = () =>
      new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3), new nn.Embedding(4, 2, { paddingIdx: 1 }));
    const before = held();
    const model = net();
    const own = model.parameters().length + model.buffers().length;
    expect(held() - before).toBe(own);
    model.to({ dtype: "float64", memoryFormat: "channels_last" });
    torch.scope(() => model.parameters()[0]!.sum().backward());
    model.zeroGrad({ setToNone: false });
    model.zeroGrad();
    torch.scope(() => void model.loadStateDict(net().stateDict()));
    expect(held() - before).toBe(own);
    model.dispose();
    expect(held()).toBe(before);
  });
});

describe("containers and other layers", () => {
  it("Sequential takes modules, records and Maps, and keeps the order", () => {
    const add = (n: number) => {
      const layer = new nn.Linear(1, 1);
      torch.noGrad(() => {
        layer.weight.fill_(n);
        layer.bias!.fill_(1);
      });
      return layer;
    };
    const x = torch.ones([1, 1]);
    expect(new nn.Sequential(add(2), add(3)).forward(x).item()).toBe(10);
    expect(new nn.Sequential({ first: add(2), second: add(3) }).forward(x).item()).toBe(10);
    const layers = new nn.Sequential(
      new Map([
        ["z", add(2)],
        ["a", add(3)],
      ]),
    );
    expect(layers.append(add(1)).forward(x).item()).toBe(11);
    expect([...layers.stateDict().keys()].filter((key) => key.endsWith("bias"))).toEqual([
      "z.bias",
      "a.bias",
      "2.bias",
    ]);
    expect(layers.at(-1).forward(x).item()).toBe(2);
    expect(() => layers.at(3)).toThrow(/3 modules/);
    expect(new nn.Sequential().forward(x)).toBe(x);
  });

  it("Dropout zeroes about p in training, scales the rest, and does nothing in evaluation", () => {
    torch.manualSeed(1);
    const layer = new nn.Dropout(0.25);
    const y = layer.forward(torch.ones([10_000])).toTypedArray() as Float32Array;
    const zeros = y.filter((value) => value === 0).length;
    expect(zeros / 10_000).toBeGreaterThan(0.23);
    expect(zeros / 10_000).toBeLessThan(0.27);
    expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(
      layer
        .eval()
        .forward(torch.ones([3]))
        .toArray(),
    ).toEqual([1, 1, 1]);
    const channels = new nn.Dropout2d(0.5)
      .forward(torch.ones([4, 8, 2, 2]))
      .mean({ dim: [2, 3] })
      .toTypedArray();
    expect(new Set(channels as Float32Array)).toEqual(new Set([0, 2]));
    expect(() => new nn.Dropout(1.5)).toThrow(/1.5 is not between/);
  });

  it("activation names the nearest known one", () => {
    expect(() => nn.activation("Relu")).toThrow(/unknown activation "Relu"\. Did you mean "ReLU"\? Known are Identity/);
    expect(() => nn.activation("toString")).toThrow(/unknown activation/);
  });

  it("refuses settings that make no sense", () => {
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow(/3 input and 4 output channels.*groups 2/);
    expect(() => new nn.Conv2d(3, 4, 3, { padding: "same", stride: 2 })).toThrow(/stride 1/);
    expect(() => new nn.GroupNorm(2, 3)).toThrow(/3 channels do not divide by 2/);
    expect(() => new nn.BatchNorm2d(3).forward(torch.ones([2, 3]))).toThrow(/expected \(N, 3, H, W\), got \[2, 3\]/);
    const x = torch.ones([1, 1, 2, 2]);
    expect(() => nn.functional.interpolate(x, {})).toThrow(/either size or scaleFactor/);
    expect(() => nn.functional.interpolate(x, { size: [2], mode: "bilinear" })).toThrow(/should have 2 values/);
    expect(() => nn.functional.interpolate(x, { size: 2, mode: "linear" })).toThrow(/needs 3 dimensions/);
    expect(() => nn.functional.mseLoss(x, torch.ones([1]))).toThrow(/differ in shape/);
  });

  it("attention with a mask ignores what the mask hides", () => {
    torch.manualSeed(0);
    const [q, k, v] = [torch.randn([2, 3, 4]), torch.randn([2, 5, 4]), torch.randn([2, 5, 6])];
    const mask = torch.tensor([true, true, false, false, false]);
    const masked = nn.functional.scaledDotProductAttention(q, k, v, { attnMask: mask });
    const cut = nn.functional.scaledDotProductAttention(q, k.narrow(1, 0, 2), v.narrow(1, 0, 2));
    expect(masked.shape).toEqual([2, 3, 6]);
    expect(masked.sub(cut).abs().max().item()).toBeLessThan(1e-6);
  });
});
