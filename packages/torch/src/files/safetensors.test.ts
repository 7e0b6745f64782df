import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { DType, Tensor } from "../index.js";
import * as torch from "../index.js";

const { safetensors } = torch;
const folder = mkdtempSync(join(tmpdir(), "foehn-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const python = (code: string, ...args: string[]) =>
  spawnSync("/usr/bin/python3", ["-c", code, ...args], { encoding: "utf8" });

const DTYPES = [
  ...["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"],
] as DType[];

/** Equal values, NaN included, and equal type and shape. */
function expectSame(a: Tensor, b: Tensor): void {
  expect(a.dtype).toBe(b.dtype);
  expect(a.shape).toEqual(b.shape);
  expect(a.toTypedArray()).toEqual(b.toTypedArray());
}

describe("safetensors", () => {
  it("gives back what it was given: any type, shape, name and metadata", () => {
    const spec = fc.record({
      name: fc.string({ minLength: 1 }).filter((name) => name !== "__metadata__"),
      dtype: fc.constantFrom(...DTYPES),
      shape: fc.array(fc.nat(4), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(spec, { selector: ({ name }) => name, maxLength: 6 }),
        fc.dictionary(fc.string(), fc.string()),
        (specs, metadata) => {
          torch.scope(() => {
            const tensors = new Map(
              specs.map(({ name, dtype, shape }) => [name, torch.randn(shape).mul(50).to(dtype)]),
            );
            safetensors.save(file("any.safetensors"), tensors, { metadata });
            const back = safetensors.load(file("any.safetensors"));
            expect({ ...back.metadata }).toEqual({ ...metadata });
            expect(new Set(back.tensors.keys())).toEqual(new Set(tensors.keys()));
            for (const [name, tensor] of tensors) expectSame(back.tensors.get(name)!, tensor);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("writes views, transposed and channels-last tensors in row-major order", () => {
    const base = torch.arange(24).reshape([1, 2, 3, 4]);
    const tensors = {
      permuted: base.permute([0, 2, 3, 1]),
      channelsLast: base.to({ memoryFormat: "channels_last" }),
      slice: base.slice({ dim: 3, start: 1, end: 3 }),
      gradient: base.float().requiresGrad_(),
    };
    safetensors.save(file("views.safetensors"), tensors);
    const back = safetensors.load(file("views.safetensors")).tensors;
    for (const [name, tensor] of Object.entries(tensors)) expectSame(back.get(name)!, tensor.detach());
    expect(back.get("gradient")!.requiresGrad).toBe(false);
  });

  it("reads one tensor without the others", () => {
    const tensors = { a: torch.ones([2]), b: torch.zeros([1000]) };
    safetensors.save(file("lazy.safetensors"), tensors, { metadata: { format: "pt" } });
    const header = safetensors.readHeader(file("lazy.safetensors"));
    expect(header.tensors.get("b")).toMatchObject({ dtype: "F32", shape: [1000] });
    using opened = safetensors.open(file("lazy.safetensors"));
    truncateSync(file("lazy.safetensors"), header.dataStart + header.tensors.get("a")!.end);
    expect(opened.tensor("a").toArray()).toEqual([1, 1]);
    expect(() => opened.tensor("b")).toThrow(/ends at byte .* truncated/);
    expect(() => opened.tensor("c")).toThrow(/has no tensor "c"; it has a, b/);
  });

  it("widens unsigned types that libtorch lacks", () => {
    const entries = {
      a: { dtype: "U32", shape: [1], data_offsets: [0, 4] },
      b: { dtype: "U16", shape: [1], data_offsets: [4, 6] },
    };
    const header = Buffer.from(JSON.stringify(entries));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.byteLength));
    writeFileSync(file("unsigned.safetensors"), Buffer.concat([length, header, Buffer.alloc(6, 0xff)]));
    const { tensors } = safetensors.load(file("unsigned.safetensors"));
    expect([tensors.get("a")!.dtype, tensors.get("a")!.item()]).toEqual(["int64", 2 ** 32 - 1]);
    expect([tensors.get("b")!.dtype, tensors.get("b")!.item()]).toEqual(["int32", 2 ** 16 - 1]);
  });

  it("refuses damaged files with the path and the reason", () => {
    for (const [name, bytes] of [
      ["empty", ""],
      ["short", "abc"],
      ["text", "this is no safetensors file"],
    ] as const) {
      writeFileSync(file(name), bytes);
      expect(() => safetensors.load(file(name))).toThrow(file(name));
    }
    safetensors.save(file("cut"), { a: torch.ones([100]) });
    truncateSync(file("cut"), 300);
    expect(() => safetensors.load(file("cut"))).toThrow(/should have 400 bytes .* truncated/);
    expect(() => safetensors.load(file("missing"))).toThrow(/ENOENT/);
  });

  it("writes nothing when a tensor cannot be written", () => {
    const before = readdirSync(folder);
    expect(() => safetensors.save(file("bad"), { a: torch.zeros([1], { dtype: "complex128" }) })).toThrow(
      /complex128 \(tensor "a"\)/,
    );
    const gone = torch.zeros([3]);
    const layout = { a: torch.ones([3]), b: gone };
    gone.dispose();
    expect(() => safetensors.save(file("bad"), layout)).toThrow();
    expect(() => safetensors.save(file("bad"), {}, { metadata: { n: 3 as unknown as string } })).toThrow(
      /"n" must be text/,
    );
    expect(readdirSync(folder)).toEqual(before);
  });

  it("is read by NumPy as the format says", () => {
    if (python("import numpy").status !== 0) return console.log("skipped: /usr/bin/python3 with numpy is not there");
    const tensors = {
      f: torch.randn([2, 3]),
      i: torch.arange(5),
      "ä b": torch.tensor([true, false]),
      h: torch.tensor([0.5]).half(),
    };
    safetensors.save(file("numpy.safetensors"), tensors, { metadata: { a: "b" } });
    const code = `
import json, struct, sys, numpy as np
raw = open(sys.argv[1], "rb").read()
n, = struct.unpack("<Q", raw[:8]); header = json.loads(raw[8:8 + n]); data = raw[8 + n:]
types = {"F32": "<f4", "I64": "<i8", "BOOL": "?", "F16": "<f2"}
meta = header.pop("__metadata__")
out = {k: np.frombuffer(data[slice(*v["data_offsets"])], types[v["dtype"]]).reshape(v["shape"]).tolist() for k, v in header.items()}
print(json.dumps([meta, out]))`;
    const [metadata, values] = JSON.parse(
      execFileSync("/usr/bin/python3", ["-c", code, file("numpy.safetensors")], { encoding: "utf8" }),
    );
    expect(metadata).toEqual({ a: "b" });
    expect(Object.keys(values).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, tensor] of Object.entries(tensors)) expect(values[name]).toEqual(tensor.toArray());
  });

  it("goes both ways with Python's safetensors", () => {
    if (python("import safetensors.torch").status !== 0)
      return console.log("skipped: Python's safetensors is not there");
    safetensors.save(file("ours.safetensors"), { a: torch.arange(6).reshape([2, 3]).to("bfloat16") });
    const code =
      "import sys, safetensors.torch as s; s.save_file({'b': s.load_file(sys.argv[1])['a'] * 2}, sys.argv[2])";
    execFileSync("/usr/bin/python3", ["-c", code, file("ours.safetensors"), file("theirs.safetensors")]);
    expect(safetensors.load(file("theirs.safetensors")).tensors.get("b")!.toArray()).toEqual([
      [0, 2, 4],
      [6, 8, 10],
    ]);
  });

  it("writes the same bytes for the same content", () => {
    for (const name of ["one", "two"]) safetensors.save(file(name), { a: torch.ones([3]), b: torch.zeros([2]) });
    expect(readFileSync(file("one"))).toEqual(readFileSync(file("two")));
  });
});
