import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as torch from "@foehn/torch";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { DatasetInfo } from "../datasets/dataset.js";
import { buildStatics } from "../datasets/statics.js";
import { latLonGrid } from "../grid/grid.js";
import { isInside } from "../io/remote/object-path.js";
import { startServer } from "../io/remote/server.test-support.js";
import { createNetwork } from "../models/registry.js";
import type { PackageContents } from "../training/package-contents.js";
import { readManifest } from "./manifest.js";
import { openPackage } from "./model-package.js";
import { parsePackageUri } from "./uri.js";
import { writePackage } from "./write-package.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-hub-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const grid = latLonGrid([3, 2, 1, 0], [0, 1, 2, 3]);

const info: DatasetInfo = {
  name: "little",
  grid,
  stepSeconds: 5400,
  features: [
    { name: "t2m", units: "K", longName: "2 metre temperature", role: "prognostic", weight: 1 },
    { name: "msl", units: "Pa", longName: "Mean sea level pressure", role: "diagnostic", weight: 0.5 },
  ],
  forcingNames: ["sin_hour", "cos_hour", "sin_year", "cos_year"],
  forcing: { variables: [], date: true, insolation: false },
  stats: { t2m: { mean: 280.125, std: 10 / 3, min: 1, max: 2 }, msl: { mean: 1e5, std: 800, min: 3, max: 4 } },
  diffStats: { t2m: { mean: 0.1, std: 0.2, min: 0, max: 1 }, msl: { mean: -0.1, std: 0.3, min: 0, max: 1 } },
  borderSize: 1,
  statics: buildStatics(grid, { borderSize: 1 }),
};

function contents(): PackageContents {
  const network = createNetwork("halfunet", 2 * 1 + 3 + 4, 2, {}, grid.shape);
  return {
    name: "little",
    version: "1.2.3",
    architecture: "halfunet",
    settings: {},
    weights: network.stateDict() as Map<string, torch.Tensor>,
    strategy: "scaled_ar",
    numInputSteps: 2,
    numInterSteps: 1,
    info,
    climatology: { t2m: new Float32Array(16).fill(281), msl: new Float32Array(16).fill(1e5) },
    provenance: { run: "x" },
  };
}

async function written(name: string): Promise<string> {
  return writePackage(join(folder, name), contents());
}

const edit = (path: string, change: (json: Record<string, never>) => unknown): void => {
  const file = join(path, "metadata.json");
  const json = JSON.parse(readFileSync(file, "utf8"));
  change(json);
  writeFileSync(file, JSON.stringify(json, null, 2));
};

describe("writePackage and openPackage", () => {
  it("give back what was packaged, weights bit for bit", async () => {
    const original = contents();
    const path = await writePackage(join(folder, "round-trip"), original);
    expect(readdirSync(path).sort()).toEqual([
      "climatology.safetensors",
      "metadata.json",
      "statics.safetensors",
      "weights.safetensors",
    ]);
    const pkg = await openPackage(path);
    const back = await pkg.info();
    const plain = (i: DatasetInfo) => ({ ...i, grid: [...i.grid.latitudes], diffStats: undefined, statics: undefined });
    expect(plain(back)).toEqual(plain(info));
    expect(back.diffStats.msl).toMatchObject({ mean: -0.1, std: 0.3 });
    expect(back.statics).toEqual(info.statics);
    expect(await pkg.climatology()).toEqual(original.climatology);
    expect(pkg).toMatchObject({ name: "little", strategy: "scaled_ar", numInputSteps: 2, numInterSteps: 1 });
    const network = await pkg.network();
    expect(network.training).toBe(false);
    for (const [name, tensor] of network.stateDict()) {
      expect(tensor.toTypedArray(), name).toEqual(original.weights.get(name)!.toTypedArray());
    }
    await pkg.verify();
    expect(pkg.manifest).toMatchObject({ n_history: 1, time_step: "PT90M" });
  });

  it("refuse an existing folder, replace a package when told to, and never another folder", async () => {
    const path = await written("twice");
    await expect(writePackage(path, contents())).rejects.toThrow(/exists already/);
    await writePackage(path, { ...contents(), version: "2.0.0" }, { overwrite: true });
    expect((await openPackage(path)).manifest.version).toBe("2.0.0");
    const other = join(folder, "documents");
    mkdirSync(other);
    writeFileSync(join(other, "letter.txt"), "dear");
    await expect(writePackage(other, contents(), { overwrite: true })).rejects.toThrow(/not replaced/);
    expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it("leave nothing behind when something in the model cannot be written down", async () => {
    const broken = {
      ...contents(),
      info: { ...info, stats: { ...info.stats, t2m: { mean: Number.NaN, std: 1, min: 0, max: 0 } } },
    };
    const before = readdirSync(folder);
    await expect(writePackage(join(folder, "nan"), broken)).rejects.toThrow(
      /normalisation.means.t2m: expected a number/,
    );
    expect(readdirSync(folder)).toEqual(before);
  });

  it("name files that are missing, cut short, changed, not listed, or links out of the package", async () => {
    const path = await written("tampered");
    const weights = join(path, "weights.safetensors");
    const bytes = readFileSync(weights);
    writeFileSync(weights, bytes.subarray(0, 100));
    await expect(openPackage(path)).rejects.toThrow(/damaged: its file weights.safetensors has 100 bytes/);
    const flipped = Buffer.from(bytes);
    flipped[flipped.length - 1]! ^= 1;
    writeFileSync(weights, flipped);
    const pkg = await openPackage(path);
    await expect(pkg.network()).rejects.toThrow(/not the one that was packaged/);
    expect(await pkg.climatology()).toHaveProperty("t2m");
    await expect(pkg.verify()).rejects.toThrow(/weights.safetensors/);
    await expect(pkg.file("../../etc/passwd")).rejects.toThrow(/lists no file/);
    rmSync(weights);
    await expect(openPackage(path)).rejects.toThrow(/weights.safetensors is missing/);
    writeFileSync(join(folder, "outside"), bytes);
    symlinkSync(join(folder, "outside"), weights);
    await expect((await openPackage(path)).network()).rejects.toThrow(/link out of the package/);
    rmSync(weights);
    writeFileSync(weights, bytes);
    writeFileSync(join(path, "extra.py"), "import os");
    await expect(openPackage(path)).rejects.toThrow(/a file extra.py that metadata.json does not list/);
  });

  it("pass over what git and download programs keep in hidden folders", async () => {
    const path = await written("cloned");
    mkdirSync(join(path, ".git", "refs"), { recursive: true });
    writeFileSync(join(path, ".git", "refs", "main"), "x");
    await (await openPackage(path)).verify();
  });

  it("name weights that do not fit the architecture", async () => {
    const path = await written("misfit");
    edit(path, (json) => Object.assign(json, { n_history: 0 }));
    await expect((await openPackage(path)).network()).rejects.toThrow(/do not fit halfunet: .*(shape|size|\()/s);
  });

  it("run no code", async () => {
    const path = await written("code");
    edit(path, (json) => Object.assign(json, { entrypoint: { name: "evil:load" } }));
    await expect((await openPackage(path)).network()).rejects.toThrow(/brings code \(evil:load\)/);
  });
});

describe("metadata.json", () => {
  const minimal = { architecture: "persistence", in_channels_names: ["t2m", "z500"] };
  const read = (json: unknown, name = "m") => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    const text = typeof json === "string" ? json : JSON.stringify(json, null, 1);
    writeFileSync(join(path, "metadata.json"), text);
    return readManifest(join(path, "metadata.json"));
  };

  it("needs a few lines only: a persistence package by hand, with earth2mip's defaults", async () => {
    read(minimal, "by-hand");
    const pkg = await openPackage(join(folder, "by-hand"));
    const made = await pkg.info();
    expect(made).toMatchObject({
      name: "by-hand",
      stepSeconds: 21600,
      grid: { shape: [720, 1440] },
      features: [{ name: "t2m", units: "K" }, { name: "z500" }],
      stats: { t2m: { mean: 0, std: 1 } },
    });
    expect((await pkg.network()).stateDict().size).toBe(0);
    expect(await pkg.climatology()).toEqual({});
  });

  it("reports unknown keys, wrong types and places", () => {
    expect(() => read({ ...minimal, archicture_entrypoint: "a:b" })).toThrow(
      /:7:2 archicture_entrypoint: unknown key.*"architecture_entrypoint"/,
    );
    expect(() => read({ ...minimal, time_step: "six hours" })).toThrow(/:7:2 time_step: .*not a duration/);
    expect(() => read('{\n "in_channels_names": ["t2m"],\n}')).toThrow(/metadata.json:3:1: this is not JSON/);
    expect(() => read({ ...minimal, schema_version: 2 })).toThrow(/a newer one wrote this package/);
    expect(() => read({ architecture: "persistence" })).toThrow(/in_channels_names/);
  });

  it("refuses contradictions", () => {
    expect(() => read({ ...minimal, out_channels_names: ["t2m"] })).toThrow(/must begin with in_channels_names/);
    expect(() => read({ ...minimal, in_channels_names: ["t2m", "t2m"] })).toThrow(/listed twice/);
    const zero = { means: { t2m: 0, z500: 0 }, stds: { t2m: 0, z500: 1 } };
    expect(() => read({ ...minimal, normalisation: zero })).toThrow(/stds.t2m: expected a number above 0, got 0/);
    const lacking = { means: { t2m: 0 }, stds: { t2m: 1, z500: 1 } };
    expect(() => read({ ...minimal, normalisation: lacking })).toThrow(/normalisation.means: lacks z500/);
    expect(() => read({ ...minimal, weights: "w.safetensors" })).toThrow(/files: lacks w.safetensors/);
    expect(() => read({ ...minimal, weights: "../w.safetensors" })).toThrow(/not a path inside the package/);
  });

  it("asks for a description of channels that nobody knows", async () => {
    read({ ...minimal, in_channels_names: ["frobnication"] }, "unknown");
    await expect((await openPackage(join(folder, "unknown"))).info()).rejects.toThrow(
      /"frobnication", which is not in/,
    );
  });
});

describe("paths", () => {
  it("inside a package cannot leave it", () => {
    for (const path of ["..", "a/../../b", "/etc/passwd", "C:\\x", "a\\..\\b", "", "a//b", "./a", "a\0b"]) {
      expect(isInside(path), path).toBe(false);
    }
    fc.assert(
      fc.property(fc.array(fc.constantFrom("..", ".", "a", "b.c", "", "\\"), { maxLength: 5 }), (parts) => {
        const path = parts.join("/");
        if (isInside(path)) expect(join("/srv/pkg", path).startsWith("/srv/pkg/")).toBe(true);
      }),
    );
  });

  it("are found by path, file address and name in the registry", async () => {
    const path = await written("found");
    const at = { kind: "folder", folder: path, path: "" };
    expect(parsePackageUri("found", { cwd: folder })).toEqual(at);
    expect(parsePackageUri(`file://${path}`)).toEqual(at);
    expect(parsePackageUri("found", { cwd: "/", registry: folder })).toEqual(at);
    expect(() => parsePackageUri("fuond", { cwd: "/", registry: folder })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('"found"') }),
    );
    expect(() => parsePackageUri("file://models/a")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("file:///models/a") }),
    );
    await expect(openPackage("nowhere", { cwd: folder })).rejects.toThrow(/no package at/);
    mkdirSync(join(folder, "empty"));
    await expect(openPackage("empty", { cwd: folder })).rejects.toThrow(/has no metadata.json/);
    expect(existsSync(path)).toBe(true);
  });

  it("work from a web server as from a folder, each file when it is used; damage on the way is found", async () => {
    const path = await written("served");
    const files = Object.fromEntries(readdirSync(path).map((name) => [`/m/${name}`, readFileSync(join(path, name))]));
    const server = await startServer(files);
    try {
      const options = { cache: join(folder, "cache"), lock: false, retryDelayMs: 1 } as const;
      const [pkg, local] = [await openPackage(`${server.url}/m`, options), await openPackage(path)];
      expect(pkg).toMatchObject({ name: "little", path: `${server.url}/m`, manifest: local.manifest });
      expect(new Set(server.seen.map((request) => request.path))).toEqual(new Set(["/m/metadata.json"]));
      const [network, same] = [await pkg.network(), await local.network()];
      const values = (module: typeof network) =>
        [...(module.stateDict() as Map<string, torch.Tensor>)].map(([name, tensor]) => [name, tensor.toTypedArray()]);
      expect(values(network)).toEqual(values(same));
      network.dispose();
      same.dispose();
      expect(server.seen.some((request) => request.path.includes("climatology"))).toBe(false);
      server.faults.set("/m/climatology.safetensors", { flipBit: 999 });
      await expect(pkg.climatology()).rejects.toThrow(/not the file that was expected/);
      server.faults.clear();
      expect(await pkg.climatology()).toEqual(await local.climatology());
      await expect(openPackage(`${server.url}/n`, options)).rejects.toThrow(/there is no package at .*\/n/);
    } finally {
      await server.close();
    }
  });
});
