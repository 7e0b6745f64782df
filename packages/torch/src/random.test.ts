import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as torch from "./index.js";

interface Golden {
  torch: string;
  random: Record<string, number[]>;
  generator: Record<string, number[]>;
  bigSeed: number[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/torch-engine/golden.json", import.meta.url), "utf8"),
) as Golden;
const numbers = (x: torch.Tensor): number[] => [...x.double().toTypedArray()].map(Number);

describe("random numbers are PyTorch's", () => {
  it("from one seed, operator after operator", () => {
    torch.manualSeed(1234);
    const drawn = {
      randn: numbers(torch.randn([20])),
      rand: numbers(torch.rand([5])),
      randperm: numbers(torch.randperm(10)),
      randint: numbers(torch.randint(3, 12, [8])),
      normal: numbers(torch.normal(2, 0.5, [4])),
      bernoulli: numbers(torch.bernoulli(torch.full([8], 0.3))),
      dropout: numbers(torch.dropout(torch.ones([8]), 0.5, true)),
      double: numbers(torch.randn([3], { dtype: "float64" })),
    };
    // Vectorised kernels may round the last bit differently from one processor to the next.
    for (const [name, values] of Object.entries(golden.random)) {
      const got = drawn[name as keyof typeof drawn];
      expect(got).toHaveLength(values.length);
      for (const [i, value] of values.entries()) expect(got[i]).toBeCloseTo(value, 6);
    }
  });
  it("from a generator of one's own, which leaves the default one alone", () => {
    torch.manualSeed(1);
    const state = torch.getRngState();
    const generator = new torch.Generator({ seed: 7 });
    const randn = numbers(torch.randn([4], { generator }));
    const randperm = numbers(torch.randperm(5, { generator }));
    for (const [i, value] of (golden.generator.randn ?? []).entries()) expect(randn[i]).toBeCloseTo(value, 6);
    expect(randperm).toEqual(golden.generator.randperm);
    expect(torch.getRngState().equal(state)).toBe(true);
  });
  it("for seeds beyond 2^53", () => {
    torch.manualSeed(2n ** 53n + 2n);
    const got = numbers(torch.randn([2]));
    for (const [i, value] of golden.bigSeed.entries()) expect(got[i]).toBeCloseTo(value, 6);
  });
  const python = spawnSync(
    "/usr/bin/python3",
    ["-c", "import torch; torch.manual_seed(99); print(torch.randn(1000).sum().item())"],
    { encoding: "utf8" },
  );
  if (python.status !== 0) console.log("skipped: /usr/bin/python3 has no torch");
  it.skipIf(python.status !== 0)("compared with Python now", () => {
    torch.manualSeed(99);
    expect(torch.randn([1000]).sum().item()).toBeCloseTo(Number(python.stdout), 4);
  });
});

describe("state", () => {
  it("can be read and put back", () => {
    torch.manualSeed(42);
    torch.randn([3]); // leaves a cached normal number in the state
    const state = torch.getRngState();
    expect([state.dtype, state.ndim]).toEqual(["uint8", 1]);
    const first = numbers(torch.randn([5]));
    torch.setRngState(state);
    expect(numbers(torch.randn([5]))).toEqual(first);
    const copy = torch.tensor(state.toTypedArray() as Uint8Array);
    torch.setRngState(copy);
    expect(numbers(torch.randn([5]))).toEqual(first);
  });
  it("of a generator", () => {
    const generator = new torch.Generator({ seed: 3 });
    const state = generator.getState();
    const first = numbers(torch.rand([2], { generator }));
    generator.setState(state);
    expect(numbers(torch.rand([2], { generator }))).toEqual(first);
  });
  it("that is none is refused", () => {
    expect(() => torch.setRngState(torch.ones([3]))).toThrow(torch.TorchError);
    expect(() => torch.getRngState("cuda:9")).toThrow(torch.TorchError);
  });
});
