import { describe, expect, it } from "vitest";
import * as torch from "./index.js";
import { native } from "./native.js";
import { camelCase, parseType } from "./schema.js";

const t = (data: number[] | number[][]): torch.Tensor => torch.tensor(data);
const call = (name: string, ...args: unknown[]): torch.Tensor => torch.aten(name, ...args) as torch.Tensor;
const codeOf = (fn: () => unknown): string => {
  try {
    fn();
  } catch (error) {
    if (error instanceof torch.TorchError) return error.code;
    throw error;
  }
  return "nothing thrown";
};

describe("arguments of every schema type", () => {
  it("Tensor and Tensor?", () => {
    expect(call("linear", t([[1, 2]]), t([[3, 4]]), t([10])).toArray()).toEqual([[21]]);
    expect(call("linear", t([[1, 2]]), t([[3, 4]]), null).toArray()).toEqual([[11]]);
    expect(call("linear", t([[1, 2]]), t([[3, 4]])).toArray()).toEqual([[11]]);
  });
  it("Tensor[]", () => {
    expect(call("cat", [t([1]), t([2, 3])]).toArray()).toEqual([1, 2, 3]);
    expect(codeOf(() => torch.aten("cat", [t([1]), 2]))).toBe("ERR_TORCH_ARGUMENT");
  });
  it("Tensor?[]", () => {
    const x = torch.arange(6).reshape([2, 3]);
    expect(call("index.Tensor", x, [null, torch.tensor([2n, 0n])]).toArray()).toEqual([
      [2, 0],
      [5, 3],
    ]);
  });
  it("int, and bigint beyond 2^53", () => {
    expect(
      call(
        "select.int",
        t([
          [1, 2],
          [3, 4],
        ]),
        0,
        1,
      ).toArray(),
    ).toEqual([3, 4]);
    const big = 2n ** 60n + 1n;
    expect(call("add.Scalar", torch.tensor([0n]), big).toTypedArray()[0]).toBe(big);
    expect(codeOf(() => torch.aten("select.int", t([1]), 0.5, 0))).toBe("ERR_TORCH_ARGUMENT");
  });
  it("int[] and SymInt[], from arrays and typed arrays", () => {
    expect(call("reshape", torch.arange(6), [3, 2]).shape).toEqual([3, 2]);
    expect(call("reshape", torch.arange(6), new Int32Array([2, -1])).shape).toEqual([2, 3]);
  });
  it("int[N] from one number", () => {
    const x = torch.ones([1, 1, 4, 4]);
    const one = call("max_pool2d", x, 2).shape;
    expect(one).toEqual([1, 1, 2, 2]);
    expect(call("max_pool2d", x, [2, 2]).shape).toEqual(one);
    expect(codeOf(() => torch.aten("reshape", x, 16))).toBe("ERR_TORCH_ARGUMENT");
  });
  it("float and float?, float[]", () => {
    expect(call("dropout", t([1, 2]), 0.5, false).toArray()).toEqual([1, 2]);
    expect(call("nan_to_num", t([Number.NaN, 1]), 7).toArray()).toEqual([7, 1]);
    expect(call("nan_to_num", t([Number.NaN]), null).toArray()).toEqual([0]);
    expect(call("upsample_nearest2d.vec", torch.arange(4).float().reshape([1, 1, 2, 2]), null, [2, 1]).shape).toEqual([
      1, 1, 4, 2,
    ]);
  });
  it("Scalar: whole numbers keep integer tensors, others widen, booleans, -0, infinity", () => {
    expect(call("add.Scalar", torch.tensor([1n]), 2).dtype).toBe("int64");
    expect(call("add.Scalar", torch.tensor([1n]), 2.5).dtype).toBe("float32");
    expect(call("add.Scalar", torch.tensor([true]), true).dtype).toBe("bool");
    expect(Object.is(call("mul.Scalar", t([1]), -0).item(), -0)).toBe(true);
    expect(call("add.Scalar", t([1]), Number.POSITIVE_INFINITY).item()).toBe(Number.POSITIVE_INFINITY);
    expect(call("clamp", t([-1, 5]), null, 3).toArray()).toEqual([-1, 3]);
  });
  it("complex Scalar", () => {
    const z = call("mul.Scalar", torch.tensor([2]).to("complex64"), { re: 0, im: 1 });
    expect([...z.toTypedArray()]).toEqual([0, 2]);
  });
  it("Scalar[]", () => {
    const [a, b] = torch.aten("_foreach_add.ScalarList", [t([1]), t([2])], [10, 0.5]) as torch.Tensor[];
    expect([a?.item(), b?.item()]).toEqual([11, 2.5]);
  });
  it("bool and bool?", () => {
    expect(call("sum.dim_IntList", t([[1, 2]]), [1], true).shape).toEqual([1, 1]);
    expect(
      (torch.aten("sort.stable", t([2, 1]), { stable: true, descending: true }) as torch.Tensor[])[0]?.toArray(),
    ).toEqual([2, 1]);
    expect(codeOf(() => torch.aten("sum.dim_IntList", t([1]), [0], 1))).toBe("ERR_TORCH_ARGUMENT");
  });
  it("bool[N]", () => {
    const x = torch.randn([2, 2, 3, 3]);
    const w = torch.randn([2, 2, 1, 1]);
    const grads = torch.aten(
      "convolution_backward",
      torch.ones([2, 2, 3, 3]),
      x,
      w,
      null,
      [1, 1],
      [0, 0],
      [1, 1],
      false,
      [0, 0],
      1,
      [false, true, false],
    ) as (torch.Tensor | null)[];
    expect(grads.map((g) => g?.shape ?? null)).toEqual([null, [2, 2, 1, 1], null]);
  });
  it("str and str?", () => {
    expect(call("gelu", t([0]), { approximate: "tanh" }).item()).toBe(0);
    expect(call("einsum", "i,i->", [t([1, 2]), t([3, 4])]).item()).toBe(11);
    expect(call("div.Tensor_mode", t([7]), t([2]), { rounding_mode: "floor" }).item()).toBe(3);
    expect(call("div.Tensor_mode", t([7]), t([2]), { roundingMode: null }).item()).toBe(3.5);
  });
  it("ScalarType, Layout, Device, MemoryFormat", () => {
    const x = torch.aten("empty.memory_format", [1, 2, 2, 2], {
      dtype: "float64",
      layout: "strided",
      device: "cpu",
      memory_format: "channels_last",
    }) as torch.Tensor;
    expect([x.dtype, x.layout, x.device, x.isContiguous("channels_last")]).toEqual(["float64", "strided", "cpu", true]);
    expect(() => torch.aten("zeros", [1], { dtype: "float23" })).toThrow(/dtype/);
    expect(() => torch.aten("zeros", [1], { device: "cup" })).toThrow(/cup/);
  });
  it("Generator", () => {
    const draw = (seed: number): unknown =>
      call("randn.generator", [3], { generator: new torch.Generator({ seed }) }).toArray();
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });
});

describe("results of every kind", () => {
  it("a list, a tuple, plain values, nothing, a missing tensor", () => {
    expect((torch.aten("split.Tensor", t([1, 2, 3]), 2) as torch.Tensor[]).map((x) => x.toArray())).toEqual([
      [1, 2],
      [3],
    ]);
    expect((torch.aten("max.dim", t([1, 5, 3]), 0) as torch.Tensor[]).map((x) => x.item())).toEqual([5, 1]);
    expect(torch.aten("is_same_size", t([1]), t([2]))).toBe(true);
    expect(torch.aten("result_type.Tensor", t([1]), torch.tensor([1n]))).toBe("float32");
    expect(torch.aten("item", t([2.5]))).toBe(2.5);
    expect(torch.aten("_foreach_zero_", [t([1])])).toBeUndefined();
  });
  it("an operator that writes returns the very object", () => {
    const x = t([1, 2]);
    expect(x.add_(1)).toBe(x);
    expect(x.toArray()).toEqual([2, 3]);
    const out = torch.empty([2]);
    expect(torch.aten("add", x, x, { out })).toBe(out);
    expect(out.toArray()).toEqual([4, 6]);
  });
  it("does not make a handle for it", () => {
    const x = t([1]);
    const before = torch.memoryStats().created;
    x.mul_(2);
    expect(torch.memoryStats().created).toBe(before);
  });
});

describe("choice of the overload", () => {
  const x = t([
    [1, 2],
    [3, 4],
  ]);
  it("by type", () => {
    expect(x.add(1).toArray()).toEqual([
      [2, 3],
      [4, 5],
    ]);
    expect(x.add(x, { alpha: 2 }).toArray()).toEqual([
      [3, 6],
      [9, 12],
    ]);
    expect(torch.pow(2, t([3])).item()).toBe(8);
    expect(x.pow(t([2, 1])).toArray()).toEqual([
      [1, 2],
      [9, 4],
    ]);
    expect(torch.where(x.gt(2), x, torch.zeros([2, 2])).toArray()).toEqual([
      [0, 0],
      [3, 4],
    ]);
  });
  it("by named arguments", () => {
    expect(x.sum().item()).toBe(10);
    expect(x.sum({ dim: 1 }).toArray()).toEqual([3, 7]);
    expect(x.sum({ dim: [0, 1] }).item()).toBe(10);
    expect(x.sum([0]).toArray()).toEqual([4, 6]);
    expect(x.sum({ dtype: "float64" }).dtype).toBe("float64");
    expect(x.mean({ dim: [0], keepdim: true }).toArray()).toEqual([[2, 3]]);
    expect(x.max({ dim: 1 })[0].toArray()).toEqual([2, 4]);
    expect(x.max(t([[2, 2]])).toArray()).toEqual([
      [2, 2],
      [3, 4],
    ]);
    expect(x.var({ dim: [0], unbiased: false }).toArray()).toEqual([1, 1]);
    expect(x.norm({ p: 1, dim: 1 }).toArray()).toEqual([3, 7]);
  });
  it("by number against list", () => {
    expect(x.split(1).length).toBe(2);
    expect(x.repeatInterleave(2, { dim: 0 }).shape).toEqual([4, 2]);
    expect(torch.aten("split", x, [1, 1])).toHaveLength(2);
  });
  it("positional arguments may go on into those with defaults, as in Python", () => {
    expect(torch.aten("softmax", x, 1)).toBeInstanceOf(torch.Tensor);
    expect(torch.cat([x, x], { dim: 1 }).shape).toEqual([2, 4]);
    expect(torch.aten("cat", [x, x], 1)).toBeInstanceOf(torch.Tensor);
  });
  it("an argument given as undefined counts as absent", () => {
    expect(x.sum({ dim: undefined as unknown as number, dtype: "float64" }).item()).toBe(10);
    expect(torch.conv2d(torch.ones([1, 1, 3, 3]), torch.ones([1, 1, 3, 3]), { bias: null }).item()).toBe(9);
  });
});

describe("errors", () => {
  it("say which overloads there are and why each does not fit", () => {
    const fail = (): unknown => t([1]).sum({ dimm: 1 } as never);
    expect(fail).toThrow(/aten::sum.dim_IntList\(Tensor self.*\n.*no option "dimm"\. Did you mean "dim"\?/);
    expect(codeOf(fail)).toBe("ERR_TORCH_ARGUMENT");
    expect(() => torch.aten("select.int", t([1]))).toThrow(/dim is missing \(int\)/);
    expect(() => torch.aten("relu", t([1]), t([1]))).toThrow(/at most 1 arguments in order, got 2/);
    expect(() => torch.aten("relu", "x")).toThrow(/self takes Tensor, got "x"/);
  });
  it("of libtorch carry operator, shapes and dtypes, and no C++ backtrace", () => {
    try {
      t([[1, 2]]).matmul(torch.ones([3], { dtype: "float64" }));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(torch.TorchError);
      const { message, operator, shapes, dtypes } = error as torch.TorchError;
      expect(operator).toBe("aten::matmul");
      expect(shapes).toEqual([[1, 2], [3]]);
      expect(dtypes).toEqual(["float32", "float64"]);
      expect(message).toMatch(/^aten::matmul: .* \(self: float32\[1, 2\]; other: float64\[3\]\)$/s);
      expect(message).not.toMatch(/frame #|Exception raised|\.cpp/);
    }
    try {
      torch.cat([t([1]), torch.ones([1, 1])]);
      expect.unreachable();
    } catch (error) {
      expect((error as torch.TorchError).shapes).toEqual([[1], [1, 1]]);
    }
  });
  it("name an operator that this libtorch lacks, with its version and the nearest name", () => {
    expect(() => torch.aten("conv2dd", t([1]))).toThrow(
      /libtorch \d+\.\d+.* has no operator aten::conv2dd. Did you mean "aten::conv2d"\?/,
    );
    expect(() => torch.aten("add.Tensr", t([1]))).toThrow(/Did you mean "aten::add.Tensor"/);
    expect(codeOf(() => torch.aten("nothing_like_it_at_all"))).toBe("ERR_TORCH_OPERATOR");
  });
  it("too large an allocation is an error, not the end", () => {
    expect(codeOf(() => torch.empty([2 ** 45]))).toBe("ERR_TORCH_OUT_OF_MEMORY");
  });
  it("calls go on after errors", () => {
    for (let i = 0; i < 100; i++) expect(() => t([1, 2]).add(t([1, 2, 3]))).toThrow();
    expect(t([1]).add(1).item()).toBe(2);
  });
});

describe("schemas", () => {
  it("every operator of the library can be described", () => {
    const bases = new Set(native.operatorNames().map((name) => name.split(".")[0] ?? ""));
    let count = 0;
    for (const base of bases) {
      for (const op of native.overloads(base)) {
        for (const a of op.arguments) parseType(a.type);
        count++;
      }
    }
    expect(count).toBeGreaterThan(2500);
  });
  it("camelCase keeps the underscore of in-place operators", () => {
    expect(["max_pool2d", "add_", "log_softmax", "index_put_", "relu6"].map(camelCase)).toEqual([
      "maxPool2d",
      "add_",
      "logSoftmax",
      "indexPut_",
      "relu6",
    ]);
  });

  it("refuse whole numbers beyond 64 bits", () => {
    const x = torch.zeros([2], { dtype: "int64" });
    for (const n of [2 ** 63, -1e300]) expect(() => torch.aten("narrow", x, 0, n, 1)).toThrow(/does not fit 64 bits/);
  });
});
