import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const golden = (name: string) => fileURLToPath(new URL(`../../../../test/golden/torch/${name}`, import.meta.url));
const expected = torch.npy.loadNpz(golden("script.npz"));
const x = expected.get("x")!;
const script = torch.jit.load(golden("script.pt"));
const many = torch.jit.load(golden("script-many.pt"));
afterAll(() => {
  script.dispose();
  many.dispose();
});
const worst = (a: unknown, b: Tensor) => (a as Tensor).sub(b).abs().max().item();

/** Tensors made and not freed on purpose; unlike `liveTensors` it does not change when the collector frees leftovers of other tests. */
const held = () => torch.memoryStats().liveTensors + torch.memoryStats().collected;

describe("torch.jit", () => {
  it("computes what Python computed, on this thread and off it", async () => {
    expect(worst(script.forwardSync(x), expected.get("simple")!)).toBeLessThan(1e-6);
    expect(worst(await script.forward(x), expected.get("simple")!)).toBeLessThan(1e-6);
  });

  it("runs off the main thread, several at once", async () => {
    const big = torch.randn([300_000, 3]); // long enough that the event loop must turn meanwhile
    const wanted = script.forwardSync(big) as Tensor;
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const results = await Promise.all(Array.from({ length: 20 }, () => script.forward(big)));
    clearInterval(timer);
    for (const result of results) expect(worst(result, wanted)).toBe(0);
    expect(turns).toBeGreaterThan(0);
  });

  it("passes numbers, lists and dicts both ways, and other methods", async () => {
    const [y, extra] = (await many.forward(x, 3)) as [Tensor, Map<string, Tensor>];
    expect(worst(y, expected.get("y")!)).toBeLessThan(1e-5);
    expect(extra.get("offset")!.toArray()).toEqual([1, 2]);
    expect(extra.get("sum")!.item()).toBeCloseTo(expected.get("sum")!.item(), 5);
    expect((many.callSync("total", [torch.ones([2]), torch.ones([3])], 2) as Tensor).item()).toBe(10);
    expect(((await many.call("total", [torch.ones([2])], 3)) as Tensor).item()).toBe(6);
    expect(many.methods().map(({ name }) => name)).toContain("total");
    expect(() => many.callSync("totle")).toThrow(/no method "totle"; it has .*total/);
  });

  it("has its parameters and buffers by name, sharing memory", () => {
    expect([...many.stateDict().keys()]).toEqual(["linear.weight", "linear.bias", "offset"]);
    expect(many.parameters().every((parameter) => parameter.requiresGrad)).toBe(true);
    expect(many.stateDict().get("linear.weight")!.toTypedArray()).toEqual(expected.get("weight")!.toTypedArray());
    using copy = torch.jit.load(golden("script-many.pt"));
    torch.noGrad(() => copy.namedParameters().get("linear.weight")!.zero_());
    torch.noGrad(() => copy.namedParameters().get("linear.bias")!.zero_());
    expect(worst((copy.forwardSync(x) as Tensor[])[0], torch.zeros([4, 2]))).toBe(0);
    copy.to({ dtype: "float64" });
    expect(copy.parameters()[0]!.dtype).toBe("float64");
  });

  it("differentiates through a script, and not inside noGrad", async () => {
    // A module of its own: libtorch 1.13 forgets noGrad for shapes that it has already optimised with gradients, in Python too.
    using script = torch.jit.load(golden("script.pt"));
    const leaf = x.clone().requiresGrad_();
    const result = await torch.noGrad(() => ({ promise: script.forward(leaf) })).promise;
    expect((result as Tensor).requiresGrad).toBe(false);
    (script.forwardSync(leaf) as Tensor).sum().backward();
    expect(leaf.grad!.shape).toEqual([4, 3]);
  });

  it("turns every failure into an error, and frees what it made", async () => {
    await expect(script.forward(torch.ones([4, 7]))).rejects.toThrow(/mat1 and mat2 shapes cannot be multiplied/);
    expect(() => script.forwardSync(torch.ones([4, 7]))).toThrow(/cannot be multiplied/);
    expect(() => script.forwardSync(x, x, x)).toThrow(/too many arguments/);
    expect(() => torch.jit.load(golden("net.pt"))).toThrow(/net.pt: cannot be loaded as TorchScript/);
    expect(() => torch.jit.load("missing.pt")).toThrow(/missing.pt: there is no such file/);
    const gone = torch.jit.load(golden("script.pt"));
    gone.dispose();
    expect(() => gone.forwardSync(x)).toThrow(/disposed/);

    const before = held();
    for (let i = 0; i < 10; i++) torch.scope(() => void script.forwardSync(x));
    await torch.scopeAsync(async () => {
      for (let i = 0; i < 10; i++) await script.forward(x);
    });
    expect(held()).toBe(before);
  });
});
