import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as torch from "../index.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-npy-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const hasNumpy = spawnSync("/usr/bin/python3", ["-c", "import numpy"]).status === 0;

describe("npy and npz", () => {
  it("give back what they were given", () => {
    const tensors = {
      scalar: torch.tensor(3.5),
      vector: torch.arange(5),
      matrix: torch.randn([3, 4]).to("float64"),
      half: torch.tensor([0.5, -1]).half(),
      flags: torch.tensor([true, false]),
      bytes: torch.tensor([1, 255]).to("uint8"),
      empty: torch.zeros([0, 2]),
      permuted: torch.arange(6).reshape([2, 3]).permute([1, 0]),
    };
    torch.npy.saveNpz(file("all.npz"), tensors);
    const back = torch.npy.loadNpz(file("all.npz"));
    expect([...back.keys()]).toEqual(Object.keys(tensors));
    for (const [name, tensor] of Object.entries(tensors)) {
      torch.npy.save(file("one.npy"), tensor);
      for (const read of [torch.npy.load(file("one.npy")), back.get(name)!]) {
        expect(read.dtype).toBe(tensor.dtype);
        expect(read.shape).toEqual(tensor.shape);
        expect(read.toTypedArray()).toEqual(tensor.toTypedArray());
      }
    }
    expect(() => torch.npy.save(file("b.npy"), torch.zeros([1], { dtype: "bfloat16" }))).toThrow(/no bfloat16/);
  });

  it("are NumPy's, both ways, in both orders and when compressed", () => {
    if (!hasNumpy) return console.log("skipped: /usr/bin/python3 with numpy is not there");
    torch.npy.saveNpz(file("ours.npz"), { a: torch.arange(6).reshape([2, 3]), b: torch.tensor([1.5]) });
    const code = `
import sys, numpy as np
z = np.load(sys.argv[1]); a = z["a"]
np.savez_compressed(sys.argv[2], c=a * 2, fortran=np.asfortranarray(a), b=z["b"].astype("f8"), z=np.zeros(100000, "i4"))`;
    execFileSync("/usr/bin/python3", ["-c", code, file("ours.npz"), file("theirs.npz")]);
    const back = torch.npy.loadNpz(file("theirs.npz"));
    expect(back.get("c")!.toArray()).toEqual([
      [0, 2, 4],
      [6, 8, 10],
    ]);
    expect(back.get("fortran")!.toArray()).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(back.get("b")!.dtype).toBe("float64");
    expect(back.get("z")!.numel()).toBe(100_000);
  });

  it("say what is wrong with a file", () => {
    writeFileSync(file("text.npy"), "not an array at all");
    expect(() => torch.npy.load(file("text.npy"))).toThrow(/is not a .npy file/);
    const header = "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n";
    writeFileSync(
      file("big.npy"),
      Buffer.concat([
        Buffer.from("\x93NUMPY\x01\x00", "latin1"),
        Buffer.from([header.length, 0]),
        Buffer.from(header),
        Buffer.alloc(4),
      ]),
    );
    expect(() => torch.npy.load(file("big.npy"))).toThrow(/has type >f4; readable are/);
    const short = header.replace(">", "<").replace("(1,)", "(2,)");
    writeFileSync(
      file("short.npy"),
      Buffer.concat([
        Buffer.from("\x93NUMPY\x01\x00", "latin1"),
        Buffer.from([short.length, 0]),
        Buffer.from(short),
        Buffer.alloc(4),
      ]),
    );
    expect(() => torch.npy.load(file("short.npy"))).toThrow(/should have 8 bytes of data for shape \(2\) and has 4/);
  });
});
