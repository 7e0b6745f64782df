// What is left of a package that would need trust: the same numbers, no code, no pickles, a hash for everything.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { openPackage } from "./model-package.js";
import { Package } from "./package.js";
import { sanitisePackage } from "./sanitise.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-sanitise-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A pickle that runs a command when Python loads it: `os.system("touch …")`. */
const hostile = (file: string): Buffer => Buffer.from(`cposix\nsystem\n(S'touch ${file}'\ntR.`, "latin1");

function source(name: string, metadata: object, files: Record<string, (path: string) => void> = {}): Package {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, "metadata.json"), JSON.stringify(metadata));
  for (const [file, write] of Object.entries(files)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    write(join(path, file));
  }
  return new Package(path);
}

const channels = {
  in_channels_names: ["t2m"],
  grid: { kind: "latlon", lat0: 1, dlat: 1, ny: 2, lon0: 0, dlon: 1, nx: 2 },
};

describe("sanitisePackage", () => {
  it("converts state dicts, leaves code and other pickles out, and lists every file", async () => {
    const trap = join(folder, "trap");
    const pkg = source(
      "old",
      { ...channels, architecture: "halfunet", license: "MIT" },
      {
        "weights.tar": (path) =>
          torch.saveStateDict(path, new Map([["module.conv.weight", torch.arange(6).float().reshape([2, 3]).t()]])),
        "code/model.py": (path) => writeFileSync(path, "import os"),
        "cache.pkl": (path) => writeFileSync(path, hostile(trap)),
        "stats/global_means.npy": (path) => torch.npy.save(path, torch.ones([1, 3])),
        "objects.npy": (path) =>
          writeFileSync(
            path,
            Buffer.from("\x93NUMPY\x01\x00\x76\x00{'descr': '|O', 'fortran_order': False}", "latin1"),
          ),
        "records.npy": (path) =>
          writeFileSync(
            path,
            Buffer.from(
              "\x93NUMPY\x01\x00\x76\x00{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False}",
              "latin1",
            ),
          ),
        "notebook.ipynb": (path) => writeFileSync(path, "{}"),
      },
    );
    const made = await sanitisePackage(pkg, join(folder, "clean"));
    expect(made.files).toEqual([
      { path: "cache.pkl", action: "left out", note: "a pickle" },
      { path: "code/model.py", action: "left out", note: "code" },
      { path: "notebook.ipynb", action: "left out", note: "code" },
      { path: "objects.npy", action: "left out", note: "an array of pickled objects" },
      { path: "records.npy", action: "left out", note: "an array of pickled objects" },
      { path: "stats/global_means.npy", action: "kept" },
      { path: "weights.tar", action: "converted", note: "weights.safetensors" },
    ]);
    expect(existsSync(trap)).toBe(false);
    const { tensors } = torch.safetensors.load(join(made.path, "weights.safetensors"));
    expect([...tensors.keys()]).toEqual(["conv.weight"]);
    expect([...tensors.get("conv.weight")!.toTypedArray()]).toEqual([0, 3, 1, 4, 2, 5]);
    const clean = await openPackage(made.path);
    expect(Object.keys(clean.manifest.files ?? {})).toEqual(["stats/global_means.npy", "weights.safetensors"]);
    expect(clean.manifest).toMatchObject({ license: "MIT", weights: "weights.safetensors" });
    await clean.verify();
    await expect(sanitisePackage(pkg, made.path)).rejects.toThrow(/exists already/);
  });

  it.skipIf(pythonLacks("numpy"))("looks into the arrays of a .npz as NumPy writes it", async () => {
    const write = (python: string) => (path: string) =>
      void runPython(`import json, sys, numpy as np\n${python}\nprint(json.dumps({}))`, path);
    const pkg = source(
      "arrays",
      { ...channels, architecture: "persistence" },
      {
        "plain.npz": write("np.savez_compressed(sys.argv[1], a=np.arange(9000), b=np.ones(3))"),
        "objects.npz": write(
          "np.savez_compressed(sys.argv[1], a=np.arange(9000), b=np.array([{}, None], dtype=object))",
        ),
        "broken.npz": (path) => writeFileSync(path, "PK"),
      },
    );
    await expect(sanitisePackage(pkg, join(folder, "arrays-clean"))).rejects.toThrow(
      /broken.npz is no archive of arrays/,
    );
    rmSync(join(folder, "arrays", "broken.npz"));
    expect((await sanitisePackage(pkg, join(folder, "arrays-clean"))).files).toEqual([
      { path: "objects.npz", action: "left out", note: "an array of pickled objects" },
      { path: "plain.npz", action: "kept" },
    ]);
  });

  it("refuses a checkpoint that is code, and leaves nothing behind", async () => {
    const trap = join(folder, "trap-2");
    const pkg = source(
      "evil",
      { ...channels, architecture: "persistence" },
      {
        "weights.ckpt": (path) => writeFileSync(path, hostile(trap)),
      },
    );
    await expect(sanitisePackage(pkg, join(folder, "evil-clean"))).rejects.toMatchObject({
      code: "model",
      message: expect.stringContaining("weights.ckpt"),
    });
    expect(existsSync(trap)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith("evil-clean"))).toEqual([]);
  });

  it("says when nothing is left without the code", async () => {
    const pkg = source(
      "code-only",
      { entrypoint: { name: "model.ts:load" } },
      {
        "model.ts": (path) => writeFileSync(path, "export const load = () => 1;"),
      },
    );
    await expect(sanitisePackage(pkg, join(folder, "nothing"))).rejects.toThrow(
      /nothing is left of .* without its code/,
    );
  });
});
