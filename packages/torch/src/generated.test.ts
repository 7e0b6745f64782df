import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { tensorMethodNames } from "./generated/methods.js";
import * as torch from "./index.js";
import { native } from "./native.js";

const generated = fileURLToPath(new URL("generated", import.meta.url));
const read = (folder: string): Map<string, string> =>
  new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(path.join(folder, name), "utf8")]),
  );

describe("generated operators", () => {
  const version = /libtorch (\S+):/.exec(readFileSync(path.join(generated, "methods.ts"), "utf8"))?.[1];
  const same = version === torch.version().libtorch;
  if (!same) console.log(`skipped: generated from libtorch ${version}, this is ${torch.version().libtorch}`);
  it.skipIf(!same)("are what the generator writes for this libtorch", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "foehn-generated-"));
    try {
      const script = fileURLToPath(new URL("../scripts/generate-operators.mjs", import.meta.url));
      const child = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
      expect(child.stderr).toBe("");
      expect(child.stdout).toMatch(/, 0 doc lines without an operator/);
      expect(read(folder)).toEqual(read(generated));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
  it("are nearly all there in whatever libtorch is used", () => {
    const bases = new Set(native.operatorNames().map((name) => name.split(".")[0]));
    const names = Object.values(tensorMethodNames);
    expect(names.length).toBeGreaterThan(600);
    expect(names.filter((name) => !bases.has(`aten::${name}`)).length).toBeLessThan(names.length * 0.03);
  });
  it("are methods and functions with one meaning", () => {
    const x = torch.tensor([
      [1, -2],
      [3, -4],
    ]);
    expect(torch.relu(x).toArray()).toEqual(x.relu().toArray());
    expect(torch.t(x).toArray()).toEqual(x.t().toArray());
    expect(torch.logSoftmax(x, 1).toArray()).toEqual(x.logSoftmax(1).toArray());
    expect(torch.sum(x, { dim: 0 }).toArray()).toEqual(x.sum({ dim: 0 }).toArray());
    expect(torch.relu_(x)).toBe(x);
    expect(Object.keys(x)).toEqual(["handle"]);
  });
  it("an operator missing in this libtorch fails where it is called, by name", () => {
    const prototype = torch.Tensor.prototype as unknown as Record<string, unknown>;
    expect(typeof prototype.logSoftmax).toBe("function");
    expect(() => torch.aten("operator_of_tomorrow", torch.ones([1]))).toThrow(
      /libtorch .* has no operator aten::operator_of_tomorrow/,
    );
  });
});
