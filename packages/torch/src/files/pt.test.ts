import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn } = torch;
const golden = (name: string) => fileURLToPath(new URL(`../../../../test/golden/torch/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "foehn-pt-"));
afterAll(() => rmSync(folder, { recursive: true }));

class Net extends nn.Module {
  readonly conv = new nn.Conv2d(2, 3, 3, { padding: 1 });
  readonly norm = new nn.BatchNorm2d(3);
  readonly layers = new nn.ModuleList([new nn.Linear(4, 4), new nn.Linear(4, 2)]);
  readonly scale = new nn.Parameter(torch.zeros([2]));
  declare readonly mean: Tensor;
  constructor() {
    super();
    this.registerBuffer("mean", torch.zeros([2]));
  }
  override forward(x: Tensor): Tensor {
    let y = this.norm
      .forward(this.conv.forward(x))
      .relu()
      .mean({ dim: [1] });
    for (const layer of this.layers) y = layer.forward(y);
    return y.mul(this.scale).add(this.mean);
  }
}

/** Tensors made and not freed on purpose; unlike `liveTensors` it does not change when the collector frees leftovers of other tests. */
const held = () => torch.memoryStats().liveTensors + torch.memoryStats().collected;

describe("torch.load", () => {
  it.each(["net.pt", "net-legacy.pt"])(
    "reads the state dict %s, and the network computes what Python's does",
    (name) => {
      const expected = torch.npy.loadNpz(golden("net.npz"));
      const state = torch.loadStateDict(golden(name));
      expect([...state.keys()]).toEqual(
        [...expected.keys()].filter((key) => key.startsWith("state/")).map((key) => key.slice(6)),
      );
      for (const [key, tensor] of state) {
        expect(tensor.dtype).toBe(expected.get(`state/${key}`)!.dtype);
        expect(tensor.toTypedArray()).toEqual(expected.get(`state/${key}`)!.toTypedArray());
      }
      const net = new Net();
      net.loadStateDict(state);
      const y = net.eval().forward(expected.get("x")!);
      expect(y.sub(expected.get("y")!).abs().max().item()).toBeLessThan(1e-5);
    },
  );

  it("reads a training checkpoint with every kind of value, and runs no code of it", () => {
    const checkpoint = torch.load(golden("checkpoint.pt")) as Map<string, unknown>;
    expect(checkpoint.get("epoch")).toBe(7);
    expect(checkpoint.get("big")).toBe(2n ** 70n);
    expect(checkpoint.get("negative")).toBe(-5);
    expect(checkpoint.get("rate")).toBe(1e-3);
    expect(checkpoint.get("name")).toBe("Größe");
    expect(checkpoint.get("flags")).toEqual([true, false, null]);
    expect(checkpoint.get("shape")).toEqual([2, 3]);
    expect(checkpoint.get("dtype")).toBe("bfloat16");
    expect(checkpoint.get("device")).toBe("cpu");
    expect(checkpoint.get("names")).toEqual(new Set(["a", "b"]));
    const unknown = checkpoint.get("unknown") as torch.PickledObject;
    expect(unknown).toBeInstanceOf(torch.PickledObject);
    expect(unknown.className).toBe("__main__.Unknown");
    expect(unknown.state).toEqual(new Map([["value", 3]]));

    const tensors = checkpoint.get("tensors") as Map<string, Tensor>;
    const array = (name: string) => [tensors.get(name)!.dtype, tensors.get(name)!.shape, tensors.get(name)!.toArray()];
    expect(array("view")).toEqual([
      "float32",
      [2, 3],
      [
        [2, 3, 4],
        [5, 6, 7],
      ],
    ]);
    expect(array("transposed")).toEqual([
      "int64",
      [3, 2],
      [
        [0, 3],
        [1, 4],
        [2, 5],
      ],
    ]);
    expect(array("bfloat16")).toEqual(["bfloat16", [2], [1.5, -2]]);
    expect(array("float16")).toEqual(["float16", [2], [0.5, 65504]]);
    expect(array("bool")).toEqual(["bool", [2], [true, false]]);
    expect(array("uint8")).toEqual(["uint8", [2], [0, 255]]);
    expect(array("int8")).toEqual(["int8", [2], [-128, 127]]);
    expect(array("int16")).toEqual(["int16", [1], [-3]]);
    expect(array("int32")).toEqual(["int32", [1, 1], [[2 ** 30]]]);
    expect(tensors.get("int64")!.toTypedArray()).toEqual(new BigInt64Array([2n ** 60n]));
    expect(array("float64")).toEqual(["float64", [], Math.PI]);
    expect(tensors.get("complex64")!.dtype).toBe("complex64");
    expect(tensors.get("complex64")!.abs().item()).toBeCloseTo(Math.sqrt(5), 6);
    expect(array("empty")).toEqual(["float32", [0, 3], []]);
    expect(array("parameter")).toEqual(["float32", [1], [4]]);
    // what shared memory in Python shares it here
    tensors.get("base")!.zero_();
    expect(tensors.get("view")!.sum().item()).toBe(0);

    const optimizer = checkpoint.get("optimizer") as Map<string, Map<number, Map<string, Tensor>>>;
    expect(optimizer.get("state")!.get(0)!.get("exp_avg")!.shape).toEqual([2]);
    expect([...torch.loadStateDict(golden("checkpoint.pt")).keys()]).toContain("conv.weight");
  });

  it("frees what it made when the scope ends", () => {
    const before = held();
    torch.scope(() => void torch.load(golden("checkpoint.pt")));
    expect(held()).toBe(before);
    const state = torch.scope(() => torch.loadStateDict(golden("net.pt")));
    expect(held()).toBe(before + state.size);
    for (const tensor of state.values()) tensor.dispose();
    expect(held()).toBe(before);
  });

  it("reads its own state dicts, and so does Python", () => {
    const net = new Net();
    const path = join(folder, "ours.pt");
    torch.saveStateDict(path, net.stateDict());
    const back = torch.loadStateDict(path);
    expect([...back.keys()].sort()).toEqual([...net.stateDict().keys()].sort());
    for (const [key, tensor] of net.stateDict()) expect(back.get(key)!.toTypedArray()).toEqual(tensor.toTypedArray());
    const code = `import torch, sys; d = torch.load(sys.argv[1]); print(sum(float(v.double().sum()) for v in d.values()))`;
    const python = spawnSync("/usr/bin/python3", ["-c", code, path], { encoding: "utf8" });
    if (/No module named/.test(python.stderr) || python.error)
      return console.log("skipped: /usr/bin/python3 with torch is not there");
    expect(python.stderr).toBe("");
    const total = [...back.values()].reduce((sum, tensor) => sum + tensor.double().sum().item(), 0);
    expect(Number(python.stdout)).toBeCloseTo(total, 9);
  });

  it("says what is wrong with files that are something else, or damaged", () => {
    expect(() => torch.load(golden("script.pt"))).toThrow(/TorchScript archive; open it with torch.jit.load/);
    expect(() => torch.load(golden("net.npz"))).toThrow(/without data.pkl/);
    expect(() => torch.load(golden("make_golden.py"))).toThrow(/not a file that torch.save wrote/);
    expect(() => torch.load(join(folder, "missing.pt"))).toThrow(/ENOENT/);
    const bytes = readFileSync(golden("net.pt"));
    writeFileSync(join(folder, "cut.pt"), bytes.subarray(0, bytes.length / 2));
    expect(() => torch.load(join(folder, "cut.pt"))).toThrow(/its end is missing/);
    const flipped = Buffer.from(bytes);
    const at = flipped.indexOf(Buffer.from(new Float32Array([1.5, 1.5]).buffer)); // the values of "scale"
    flipped[at]! ^= 1;
    writeFileSync(join(folder, "flipped.pt"), flipped);
    expect(() => torch.load(join(folder, "flipped.pt"))).toThrow(/damaged \(CRC mismatch\)/);
    const legacy = readFileSync(golden("net-legacy.pt"));
    for (const size of [10, 100, legacy.length - 5]) {
      writeFileSync(join(folder, "cut-legacy.pt"), legacy.subarray(0, size));
      expect(() => torch.load(join(folder, "cut-legacy.pt"))).toThrow(torch.TensorFileError);
    }
    expect(() => torch.loadStateDict(golden("pickles.json"))).toThrow(/not a file that torch.save wrote/);
  });
});
