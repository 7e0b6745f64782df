// A package of a network on a given mesh stands alone: the mesh moves with it, and the network computes what it did.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as torch from "@foehn/torch";
import { afterAll, expect, it } from "vitest";
import type { DatasetInfo } from "../datasets/dataset.js";
import { buildStatics } from "../datasets/statics.js";
import { regularGrid } from "../grid/grid.js";
import { createNetwork } from "../models/registry.js";
import { packMesh } from "./mesh-file.js";
import { openPackage } from "./model-package.js";
import { writePackage } from "./write-package.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-mesh-file-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const grid = regularGrid({ lat0: 60, dlat: 1, ny: 27, lon0: 0, dlon: 1, nx: 30 });
const info: DatasetInfo = {
  name: "little",
  grid,
  stepSeconds: 3600,
  features: [{ name: "t2m", units: "K", longName: "2 metre temperature", role: "prognostic", weight: 1 }],
  forcingNames: [],
  forcing: { variables: [], date: false, insolation: false },
  stats: { t2m: { mean: 280, std: 10, min: 1, max: 2 } },
  diffStats: { t2m: { mean: 0.1, std: 0.2, min: 0, max: 1 } },
  borderSize: 0,
  statics: buildStatics(grid, { borderSize: 0 }),
};

it("packs the mesh that was given, and reads it from wherever the package is", async () => {
  const graph = join(folder, "graph");
  cpSync(fileURLToPath(new URL("../../../../test/golden/grid/graph", import.meta.url)), graph, { recursive: true });
  const settings = { hidden_dims: 4, processor_layers: 1, mesh_file: graph, tmp_dir: folder };
  const inputs = 1 + info.statics.names.length;
  const network = createNetwork("hilam", inputs, 1, settings, grid.shape).eval();
  const contents = {
    name: "meshed",
    version: "1.0.0",
    architecture: "hilam",
    settings,
    weights: network.stateDict() as Map<string, torch.Tensor>,
    strategy: "diff_ar",
    numInputSteps: 1,
    numInterSteps: 1,
    info,
    climatology: {},
    provenance: {},
  };
  const path = await writePackage(join(folder, "package"), contents);
  rmSync(graph, { recursive: true });
  await expect(writePackage(join(folder, "again"), contents)).rejects.toThrow(/the mesh of the training, .*graph, is/);
  expect(readFileSync(join(path, "metadata.json"), "utf8")).not.toContain(folder);
  const moved = join(folder, "elsewhere");
  cpSync(path, moved, { recursive: true });
  rmSync(path, { recursive: true });
  const pkg = await openPackage(moved);
  expect(Object.keys(pkg.manifest.files ?? {})).toContain("mesh.safetensors");
  const opened = await pkg.network();
  const x = torch.randn([2, 27 * 30, inputs]);
  expect(opened.forward(x).toTypedArray()).toEqual(network.forward(x).toTypedArray());
  // What the settings name outside of the package is neither read nor made.
  const chosen = join(folder, "chosen-by-the-package");
  const edit = (own: object) => {
    const file = join(moved, "metadata.json");
    const json = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...json, settings: { ...json.settings, ...own } }));
  };
  edit({ mesh_file: null, tmp_dir: chosen });
  await (await openPackage(moved)).network().catch(() => {}); // the weights belong to the other mesh
  expect(existsSync(chosen)).toBe(false);
  edit({ mesh_file: join(folder, "package", "mesh.safetensors") });
  await expect((await openPackage(moved)).network()).rejects.toThrow(/lists no file ".*mesh.safetensors"/);
});

it("packs no folder of the machine of the training", () => {
  expect(packMesh(folder, { hidden_dims: 4, tmp_dir: folder }, grid.shape)).toEqual({ hidden_dims: 4, tmp_dir: null });
});
