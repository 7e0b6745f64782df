// foehn export on packages written here, without training.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import type { DatasetInfo } from "../../datasets/dataset.js";
import { buildStatics } from "../../datasets/statics.js";
import { latLonGrid } from "../../grid/grid.js";
import { writePackage } from "../../hub/write-package.js";
import { createNetwork, networks } from "../../models/registry.js";
import { runHere } from "../process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-export-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

const grid = latLonGrid([4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]);
const info: DatasetInfo = {
  name: "little",
  grid,
  stepSeconds: 3600,
  features: [
    { name: "t2m", units: "K", longName: "2 metre temperature", role: "prognostic", weight: 1 },
    { name: "tp", units: "m", longName: "Total precipitation", role: "diagnostic", weight: 1 },
  ],
  forcingNames: ["sin_hour", "cos_hour", "sin_year", "cos_year"],
  forcing: { variables: [], date: true, insolation: false },
  stats: { t2m: { mean: 280, std: 10, min: 1, max: 2 }, tp: { mean: 0.001, std: 0.002, min: 0, max: 1 } },
  diffStats: { t2m: { mean: 0.1, std: 0.2, min: 0, max: 1 }, tp: { mean: 0, std: 0.3, min: 0, max: 1 } },
  borderSize: 0,
  statics: buildStatics(grid, { borderSize: 0 }),
};

async function packaged(name: string, architecture: string, settings: Record<string, unknown>): Promise<string> {
  // Two past states of one prognostic feature, statics, forcings; two features out.
  const inputs = 2 + info.statics.names.length + info.forcingNames.length;
  const network = createNetwork(architecture, inputs, 2, settings, grid.shape);
  return writePackage(at(name), {
    name,
    version: "1.0.0",
    architecture,
    settings,
    weights: network.stateDict() as Map<string, torch.Tensor>,
    strategy: "diff_ar",
    numInputSteps: 2,
    numInterSteps: 1,
    info,
    climatology: {},
    provenance: {},
  });
}

describe("docs/guides/export.md", () => {
  const guide = readFileSync(new URL("../../../../../docs/guides/export.md", import.meta.url), "utf8");

  it("shows commands that work, and what they print", async () => {
    const path = await packaged("my-model", "halfunet", { num_filters: 4 });
    const commands = [...guide.matchAll(/^npx foehn (export .*?)(?: +#.*)?$/gm)].map((match) => match[1]!.split(" "));
    expect(commands).toHaveLength(2);
    for (const words of commands) {
      const argv = words.map((word) => (word === "my-model" ? path : word.startsWith("my-model.") ? at(word) : word));
      const { status, stdout } = await runHere(...argv);
      expect(status).toBe(0);
      for (const line of stdout.trim().split("\n")) expect(guide).toContain(`\n${line.split(" ")[0]} `);
    }
  });

  it("lists the networks that can, and every key of the metadata", async () => {
    const line = /^ONNX: (.*?);/m.exec(guide)?.[1];
    expect(line?.split(", ")).toEqual(
      networks
        .list()
        .filter((network) => network.onnxSupported)
        .map((network) => network.modelName),
    );
    const text = readFileSync(at("my-model.onnx")).toString("latin1");
    const keys = [...guide.matchAll(/^\| (`.*?) \|/gm)].flatMap((row) =>
      [...row[1]!.matchAll(/`(\w+)`/g)].map((m) => m[1]!),
    );
    expect(keys.length).toBeGreaterThan(10);
    for (const key of keys.filter((name) => name !== "license")) expect(text).toContain(key);
  });
});

describe("foehn export onnx", () => {
  it("writes a file that names its input, carries the package's metadata, and says how far it is off", async () => {
    const path = await packaged("little", "halfunet", { num_filters: 4 });
    const { status, stdout } = await runHere("export", "onnx", path, "-o", at("deep/little.onnx"), "--json");
    expect(status).toBe(0);
    const made = JSON.parse(stdout) as Record<string, unknown>;
    expect(made).toMatchObject({
      path: at("deep/little.onnx"),
      opset: 17,
      batchSizes: [1, 2],
      inputShape: [5, 6, 2 + info.statics.names.length + 4],
      inputFeatures: ["t2m@-1", "t2m", ...info.statics.names, ...info.forcingNames],
      outputFeatures: ["t2m", "tp"],
    });
    expect(made.maxRelativeDifference).toBeLessThan(1e-4);
    const text = readFileSync(at("deep/little.onnx")).toString("latin1");
    for (const part of ["normalisation", '"t2m":280', "diff_ar", "input_features", "PT1H"])
      expect(text).toContain(part);
    const shown = await runHere("export", "onnx", path, "-o", at("little.onnx"), "--opset", "18");
    expect(shown).toMatchObject({ status: 0, stdout: expect.stringMatching(/input +input \(batch, 5, 6, \d+\)/) });
  });

  it("refuses an existing file, and replaces it when told to", async () => {
    const path = await packaged("again", "persistence", {});
    writeFileSync(at("again.onnx"), "old");
    const refused = await runHere("export", "onnx", path, "-o", at("again.onnx"));
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("exists already") });
    expect(readFileSync(at("again.onnx"), "utf8")).toBe("old");
    expect(await runHere("export", "onnx", path, "-o", at("again.onnx"), "--overwrite")).toMatchObject({ status: 0 });
    expect(readFileSync(at("again.onnx"), "utf8")).not.toBe("old");
  });

  it("fails, and leaves no file, when the file differs from the network", async () => {
    const path = await packaged("far", "halfunet", { num_filters: 4 });
    const { status, stderr } = await runHere("export", "onnx", path, "-o", at("far.onnx"), "--tolerance", "1e-12");
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /ONNX Runtime gives other values than the network: they differ by up to .*tolerance is 1.0e-12/,
    );
    expect(stderr).toContain("no file was written");
    expect(readdirSync(folder).filter((name) => name.includes("far") && name !== "far")).toEqual([]);
  });

  it("says which networks can, for one that cannot", async () => {
    const path = await packaged("spectral", "afno", { embed_dim: 8, num_blocks: 2, depth: 1, patch_size: 1 });
    const { status, stderr } = await runHere("export", "onnx", path, "-o", at("no.onnx"));
    expect(status).toBe(1);
    expect(stderr).toMatch(/the network afno cannot be exported to ONNX/);
    expect(stderr).toMatch(/these can: .*halfunet/);
    expect(existsSync(at("no.onnx"))).toBe(false);
  });

  it("writes TorchScript archives too, also of networks without an ONNX form", async () => {
    for (const [name, settings] of [
      ["halfunet", { num_filters: 4 }],
      ["afno", { embed_dim: 8, num_blocks: 2, depth: 1, patch_size: 1 }],
    ] as const) {
      const path = await packaged(`script-${name}`, name, settings);
      const { status, stdout, stderr } = await runHere("export", "torchscript", path, "-o", at(`${name}.pt`), "--json");
      expect(stderr).toBe("");
      expect(status).toBe(0);
      const made = JSON.parse(stdout) as { maxRelativeDifference: number };
      expect(made).toMatchObject({ outputFeatures: ["t2m", "tp"], batchSizes: [1, 2] });
      expect(made.maxRelativeDifference).toBeLessThan(1e-5);
      using script = torch.jit.load(at(`${name}.pt`));
      const inputs = 2 + info.statics.names.length + info.forcingNames.length;
      expect((script.forwardSync(torch.randn([3, 5, 6, inputs])) as torch.Tensor).shape).toEqual([3, 5, 6, 2]);
      const again = await runHere("export", "torchscript", path, "-o", at(`${name}.pt`));
      expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining("exists already") });
    }
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("checks its flags", async () => {
    expect(await runHere("export", "onnx", "x", "--opset", "9")).toMatchObject({ status: 2 });
    expect(await runHere("export", "onnx", "x", "--tolerance", "0")).toMatchObject({ status: 2 });
    expect(await runHere("export", "onnx", at("none"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("no package"),
    });
  });
});
