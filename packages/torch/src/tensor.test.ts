import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dtypeOfArray } from "./dtype.js";
import * as torch from "./index.js";

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/torch-engine/golden.json", import.meta.url), "utf8"),
) as {
  prints: Record<string, string>;
  indexing: Record<string, unknown>;
};
const numbers = (x: torch.Tensor): number[] => [...x.double().reshape([-1]).toTypedArray()].map(Number);

describe("typed arrays", () => {
  const cases: Record<torch.DType, torch.TypedArray> = {
    float32: Float32Array.of(1.5, -2, Number.NaN),
    float64: Float64Array.of(1e300, -2, 0.1),
    float16: Float32Array.of(1.5, -2, 65504),
    bfloat16: Float32Array.of(1.5, -2, 1e30),
    int8: Int8Array.of(-128, 0, 127),
    uint8: Uint8Array.of(0, 1, 255),
    int16: Int16Array.of(-32768, 0, 32767),
    int32: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
    int64: BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
    bool: Uint8Array.of(1, 0, 1),
    complex64: Float32Array.of(1, 2, 3, 4, 5, 6),
    complex128: Float64Array.of(1, 2, 3, 4, 5, 6),
  };
  for (const [name, array] of Object.entries(cases)) {
    const dtype = name as torch.DType;
    it(`${dtype} goes in and out unchanged`, () => {
      const x = dtype.startsWith("complex")
        ? torch.viewAsComplex(torch.tensor(array, { shape: [3, 2] }))
        : torch.tensor(array, { dtype });
      expect(x.dtype).toBe(dtype);
      expect(x.shape).toEqual([3]);
      const back = x.toTypedArray();
      expect(back.constructor).toBe(array.constructor);
      const expected = dtype === "bfloat16" ? numbers(torch.tensor(array, { dtype })) : [...array];
      expect([...back]).toEqual(expected);
    });
  }

  it("of any shape and any content: copying, sharing, through a permutation", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.float32Array({ minLength: 256, maxLength: 256 }),
        (shape, pool) => {
          const count = shape.reduce((a, b) => a * b, 1);
          const data = pool.slice(0, count);
          const axes = shape.map((_, i) => shape.length - 1 - i);
          torch.scope(() => {
            const x = torch.fromTypedArray(data, shape);
            expect(x.shape).toEqual(shape);
            expect([...x.toTypedArray()]).toEqual([...data]);
            const twice = x.permute(axes).permute(axes);
            expect([...twice.toTypedArray()]).toEqual([...data]);
            expect([...torch.tensor(data, { shape }).toTypedArray({ copy: false })]).toEqual([...data]);
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  it("fromTypedArray shares memory, both ways", () => {
    const array = Float32Array.of(1, 2, 3, 4);
    const x = torch.fromTypedArray(array, [2, 2]);
    x.add_(1);
    expect([...array]).toEqual([2, 3, 4, 5]);
    array[0] = 10;
    expect(x.toArray()).toEqual([
      [10, 3],
      [4, 5],
    ]);
  });

  it("marks shared memory when the last tensor over it is gone, views and autograd included", () => {
    const memory = new SharedArrayBuffer(4 + 16);
    const released = new Int32Array(memory, 0, 1);
    const data = new Float32Array(memory, 4, 4);
    data.set([1, 2, 3, 4]);
    const x = torch.fromTypedArray(data, [2, 2], { released });
    const row = x.select(0, 1);
    const weight = torch.ones([2, 2], { requiresGrad: true });
    const loss = weight.mul(x).sum();
    x.dispose();
    expect(row.toArray()).toEqual([3, 4]);
    row.dispose();
    expect(released[0]).toBe(0); // the gradient of `mul` needs it
    loss.backward();
    expect(weight.grad!.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(released[0]).toBe(1);
    expect(() => torch.fromTypedArray(data, [4], { released: new Float32Array(1) as never })).toThrow(/Int32Array/);
    loss.dispose();
  });

  it("respects the offset of a typed array in its buffer", () => {
    const whole = Float32Array.of(0, 1, 2, 3);
    expect(torch.fromTypedArray(whole.subarray(1, 3)).toArray()).toEqual([1, 2]);
    expect(torch.tensor(new Float32Array(whole.buffer, 8)).toArray()).toEqual([2, 3]);
  });

  it("toTypedArray({ copy: false }) shares memory and outlives the tensor; copies where it cannot share", () => {
    const x = torch.arange(4).float();
    const view = x.toTypedArray({ copy: false });
    const again = x.toTypedArray({ copy: false });
    x.add_(1);
    expect([...view]).toEqual([1, 2, 3, 4]);
    expect([...again]).toEqual([1, 2, 3, 4]);
    x.dispose();
    expect([...view]).toEqual([1, 2, 3, 4]);
    const array = Float32Array.of(1, 2);
    expect([...torch.fromTypedArray(array).toTypedArray({ copy: false })]).toEqual([1, 2]);
    const turned = torch.arange(4).reshape([2, 2]).t();
    expect([...turned.toTypedArray({ copy: false })]).toEqual([0n, 2n, 1n, 3n]);
  });

  it("refuses what does not fit", () => {
    expect(() => torch.fromTypedArray(new Float32Array(3), [2, 2])).toThrow(/3 elements.*\[2, 2\] needs 4/);
    expect(() => torch.tensor(new Uint32Array(2) as never)).toThrow(/Uint32Array/);
    expect(() => dtypeOfArray(new DataView(new ArrayBuffer(1)))).toThrow(torch.TorchError);
  });
});

describe("tensor(data)", () => {
  it("infers type and shape", () => {
    expect(torch.tensor(3).shape).toEqual([]);
    expect(
      torch.tensor([
        [1, 2],
        [3, 4],
      ]).dtype,
    ).toBe("float32");
    expect(torch.tensor([true, false]).dtype).toBe("bool");
    expect(torch.tensor([1n, 2n]).dtype).toBe("int64");
    expect(torch.tensor([]).shape).toEqual([0]);
    expect(torch.tensor([[], []]).shape).toEqual([2, 0]);
    expect(torch.tensor([1, 2, 3, 4], { shape: [2, 2], dtype: "int32" }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(torch.tensor([2 ** 40 + 1], { dtype: "int64" }).item()).toBe(2 ** 40 + 1);
    expect(torch.tensor([0.1], { dtype: "float64" }).item()).toBe(0.1);
  });
  it("names the place where nested data is ragged or not a number", () => {
    expect(() => torch.tensor([[1, 2], [3]])).toThrow(/data\[1\] has 1 items where 2 is needed/);
    expect(() => torch.tensor([[1, 2], 3])).toThrow(/data\[1\] is a single value where an array of 2 is needed/);
    expect(() => torch.tensor([1, "x" as never])).toThrow(/data\[1\] is string/);
  });
});

describe("creation", () => {
  it("makes the usual tensors", () => {
    expect(torch.zeros([2]).toArray()).toEqual([0, 0]);
    expect(torch.ones([1, 2], { dtype: "int64" }).toArray()).toEqual([[1, 1]]);
    expect(torch.full([2], 7).dtype).toBe("float32");
    expect(torch.full([2], true).dtype).toBe("bool");
    expect(torch.arange(3).dtype).toBe("int64");
    expect(torch.arange(1, 2, 0.25).toArray()).toEqual([1, 1.25, 1.5, 1.75]);
    expect(torch.arange(2, 5, { dtype: "float32" }).toArray()).toEqual([2, 3, 4]);
    expect(torch.linspace(0, 1, 3).toArray()).toEqual([0, 0.5, 1]);
    expect(torch.eye(2).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(torch.eye(1, 3).shape).toEqual([1, 3]);
    expect(torch.zerosLike(torch.ones([3], { dtype: "float64" })).dtype).toBe("float64");
    expect(torch.fullLike(torch.ones([2]), 5).toArray()).toEqual([5, 5]);
    expect(torch.randn([2], { requiresGrad: true }).requiresGrad).toBe(true);
    expect(torch.empty([2, 3], { dtype: "float16" }).dtype).toBe("float16");
  });
});

describe("one tensor", () => {
  const x = torch.arange(24).float().reshape([2, 3, 4]);
  it("knows its metadata", () => {
    expect([x.shape, x.ndim, x.dtype, x.device, x.layout, x.numel()]).toEqual([
      [2, 3, 4],
      3,
      "float32",
      "cpu",
      "strided",
      24,
    ]);
    expect([x.size(-1), x.size(0), x.stride()]).toEqual([4, 2, [12, 4, 1]]);
    expect(() => x.size(3)).toThrow(/between -3 and 2/);
    expect(x.permute([2, 0, 1]).isContiguous()).toBe(false);
    expect(x.index(1).storageOffset()).toBe(12);
    expect(x.index(1).sharesMemoryWith(x)).toBe(true);
    expect(x.clone().sharesMemoryWith(x)).toBe(false);
  });
  it("changes type, device and layout", () => {
    expect(x.to("float64").dtype).toBe("float64");
    expect(x.to("cpu").sharesMemoryWith(x)).toBe(true);
    expect(x.to({ copy: true }).sharesMemoryWith(x)).toBe(false);
    expect([x.half(), x.bfloat16(), x.double(), x.long(), x.int(), x.bool()].map((y) => y.dtype)).toEqual([
      "float16",
      "bfloat16",
      "float64",
      "int64",
      "int32",
      "bool",
    ]);
    const image = torch.ones([1, 3, 4, 4]).to({ memoryFormat: "channels_last" });
    expect([image.isContiguous("channels_last"), image.isContiguous(), image.stride()]).toEqual([
      true,
      false,
      [48, 1, 12, 3],
    ]);
  });
  it("gives one element", () => {
    expect(torch.tensor([[2.5]]).item()).toBe(2.5);
    expect(torch.tensor(true).item()).toBe(1);
    expect(() => x.item()).toThrow(/one element, this one is float32\[2, 3, 4\]/);
    expect(() => torch.tensor([2n ** 60n]).item()).toThrow(/1152921504606846976 does not fit/);
    expect(torch.tensor([2n ** 60n]).toArray()).toEqual([2n ** 60n]);
  });
  it("gives nested arrays", () => {
    expect(torch.tensor([[1, 2]]).toArray()).toEqual([[1, 2]]);
    expect(torch.tensor(4).toArray()).toBe(4);
    expect(torch.tensor([true]).toArray()).toEqual([true]);
    expect(torch.zeros([2, 0]).toArray()).toEqual([[], []]);
    expect(torch.viewAsComplex(torch.tensor([[1, 2]])).toArray()).toEqual([[1, 2]]);
  });
});

describe("indexing equals PyTorch's", () => {
  const x = torch.arange(24).float().reshape([2, 3, 4]);
  const i = torch.tensor([1n, 0n, 1n]);
  const m = x.index("...", 0).gt(4);
  const j = torch.tensor([0n, 1n, 3n]);
  const apart = (): torch.Tensor => x.index(i, {}, j);
  const cases: Record<string, () => unknown> = {
    first: () => numbers(x.index(1)),
    ellipsis: () => numbers(x.index("...", 2)),
    range: () => numbers(x.index({}, { start: 1, end: 3 }, { step: 2 })),
    newaxis: () => x.index({}, null, 0).shape,
    gather: () => numbers(x.index(i)),
    two: () => numbers(x.index(i, torch.tensor([0n, 1n, 2n]))),
    apart: () => [apart().shape, numbers(apart())],
    mask: () => numbers(x.index(m)),
    maskAfter: () => numbers(x.index(0, m.index(0))),
    newaxisGather: () => x.index(null, i).shape,
  };
  for (const [name, expected] of Object.entries(golden.indexing)) {
    it(name, () => expect(cases[name]?.()).toEqual(expected));
  }
  it("views share memory, errors explain", () => {
    expect(x.index(0, { start: 1 }).sharesMemoryWith(x)).toBe(true);
    expect(x.index().shape).toEqual([2, 3, 4]);
    expect(() => x.index(0, 0, 0, 0)).toThrow(/too many indices: 4 for a tensor of shape \[2, 3, 4\]/);
    expect(() => x.index(5)).toThrow(torch.TorchError);
    expect(() => x.index("...", "...")).toThrow(/at most one/);
    expect(() => x.index({ step: -1 })).toThrow(torch.TorchError);
  });
  it("assigns", () => {
    const y = torch.zeros([2, 3]);
    torch.assignIndex(y, [0, { start: 1 }], torch.tensor([5, 6]));
    torch.assignIndex(y, [1, torch.tensor([0n, 2n])], torch.tensor(9));
    expect(y.toArray()).toEqual([
      [0, 5, 6],
      [9, 0, 9],
    ]);
  });
});

describe("printing equals PyTorch's", () => {
  const made: Record<string, () => torch.Tensor> = {
    scalar: () => torch.tensor(3.5),
    whole: () => torch.tensor([1, -2, 30]),
    mixed: () =>
      torch.tensor([
        [0.5, -1.25],
        [100, 2],
      ]),
    scientific: () => torch.tensor([1e-6, 1, 12345.678]),
    large: () => torch.tensor([1e9, 2.5]),
    special: () => torch.tensor([Number.NaN, Number.POSITIVE_INFINITY, -1]),
    ints: () =>
      torch.tensor([
        [1n, -20n],
        [300n, 4n],
      ]),
    bools: () => torch.tensor([true, false]),
    double: () => torch.tensor([0.1, 0.25], { dtype: "float64" }),
    half: () => torch.tensor([0.5, 1.5], { dtype: "bfloat16" }),
    empty: () => torch.empty([0]),
    emptyShape: () => torch.empty([2, 0]),
    cube: () => torch.arange(12).float().reshape([2, 2, 3]),
    long: () => torch.arange(40),
    summary: () => torch.arange(2000).reshape([100, 20]),
    summaryLine: () => torch.arange(1001).div(8),
    summaryCube: () => torch.ones([3, 20, 30]),
    fourDims: () => torch.zeros([2, 1, 2, 2]),
    complex: () =>
      torch.viewAsComplex(
        torch.tensor([
          [1, 2],
          [3.5, -1],
        ]),
      ),
  };
  for (const [name, text] of Object.entries(golden.prints)) {
    it(name, () => expect(String(made[name]?.())).toBe(text));
  }
  it("says so when the tensor is gone", () => {
    const x = torch.ones([1]);
    x.dispose();
    expect(String(x)).toBe("tensor(<disposed>)");
  });
});
