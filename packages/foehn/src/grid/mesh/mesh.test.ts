// Meshes against those that mfai builds, what holds for every mesh of our own, files and the cache.

import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildMesh } from "./build.js";
import { readMesh, writeMesh } from "./file.js";
import { numDivisions } from "./lattice.js";
import { type EdgeSet, type Mesh, type MeshCompat, namedEdgeSets, numEdges } from "./mesh.js";
import { readGraphFolder } from "./neural-lam-graph.js";
import { meshFileName, openMesh } from "./open.js";
import { meshProblems } from "./validate.js";

const golden = (name: string) => fileURLToPath(new URL(`../../../../../test/golden/grid/${name}`, import.meta.url));
const folder = () => mkdtempSync(join(tmpdir(), "foehn-mesh-"));
const flat = { hierarchical: false, maxLevels: null, compat: "none" } as const;
const source = { ...flat, meshFile: null };

interface Case {
  readonly shape: [number, number];
  readonly compat: MeshCompat;
  readonly hierarchical: boolean;
  readonly mesh_nodes: number[];
  readonly first_mesh_node: number[];
  readonly m2m: number[];
  readonly g2m: number;
  readonly m2g: number;
  readonly longest_edge: number;
  readonly unread: number;
  readonly m2m_pairs: number[];
  readonly g2m_pairs: number;
  readonly length_sums: { readonly g2m: number; readonly m2g: number };
}

const cases = JSON.parse(readFileSync(golden("edges.json"), "utf8")) as Case[];

/** As in test/golden/grid/make_graph.py. */
function pairs({ senders, receivers }: EdgeSet): number {
  return senders.reduce((sum, a, i) => sum + ((a * 7919 + receivers[i]! * 104729 + a * receivers[i]!) % 1000003), 0);
}

const lengths = ({ features }: EdgeSet) => features.reduce((sum, v, i) => (i % 3 === 0 ? sum + v : sum), 0);

/** Edges as sender → receiver → features, whatever their order. */
const sortedEdges = ({ senders, receivers, features }: EdgeSet) =>
  [...receivers.keys()]
    .map((i) => [receivers[i]!, senders[i]!, ...features.slice(3 * i, 3 * i + 3)])
    .sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);

function expectSame(mesh: Mesh, other: Mesh): void {
  expect(mesh.longestEdge).toBeCloseTo(other.longestEdge, 4);
  for (const [i, { features }] of mesh.levels.entries()) {
    expect(Math.max(...features.map((v, k) => Math.abs(v - other.levels[i]!.features[k]!)))).toBeLessThan(1e-6);
  }
  const others = new Map(namedEdgeSets(other));
  for (const [name, edges] of namedEdgeSets(mesh)) {
    const [own, theirs] = [sortedEdges(edges), sortedEdges(others.get(name)!)];
    expect(
      own.map((row) => row.slice(0, 2)),
      name,
    ).toEqual(theirs.map((row) => row.slice(0, 2)));
    const worst = Math.max(...own.flatMap((row, i) => row.slice(2).map((v, k) => Math.abs(v - theirs[i]![k + 2]!))));
    expect(worst, name).toBeLessThan(1e-6);
  }
}

describe("meshes as py4cast and mfai build them", () => {
  it.each(cases.map((c) => [c.shape.join("×"), c.compat, c.hierarchical ? "hierarchical" : "flat", c] as const))(
    "%s, %s, %s",
    (_shape, _compat, _kind, c) => {
      const mesh = buildMesh(c.shape, { hierarchical: c.hierarchical, maxLevels: null, compat: c.compat });
      expect(meshProblems(mesh)).toEqual([]);
      expect(mesh.levels.map((level) => level.numNodes)).toEqual(c.mesh_nodes);
      expect([...mesh.levels[0]!.features.slice(0, 2)]).toEqual(c.first_mesh_node.map((v) => expect.closeTo(v, 6)));
      expect(mesh.same.map(numEdges)).toEqual(c.m2m);
      expect(mesh.same.map(pairs)).toEqual(c.m2m_pairs);
      expect([numEdges(mesh.gridToMesh), numEdges(mesh.meshToGrid)]).toEqual([c.g2m, c.m2g]);
      expect(pairs(mesh.gridToMesh)).toBe(c.g2m_pairs);
      expect(mesh.longestEdge).toBeCloseTo(c.longest_edge, 4);
      expect(lengths(mesh.gridToMesh) * mesh.longestEdge).toBeCloseTo(c.length_sums.g2m, 0);
      expect(lengths(mesh.meshToGrid) * mesh.longestEdge).toBeCloseTo(c.length_sums.m2g, 0);
      expect(c.shape[0] * c.shape[1] - new Set(mesh.gridToMesh.senders).size).toBe(c.unread);
    },
  );

  it("loses a level at 243 points there, and not here", () => {
    expect([numDivisions(243, "index"), numDivisions(244, "index"), numDivisions(243, "none")]).toEqual([4, 5, 5]);
    for (let n = 1, side = 3; side < 1e5; side *= 3, n++) {
      expect([numDivisions(side - 1, "none"), numDivisions(side, "none")]).toEqual([n - 1, n]);
    }
  });

  it("reads the graph folder that mfai writes", () => {
    const built = buildMesh([27, 30], { hierarchical: true, maxLevels: null, compat: "index" });
    expectSame(readGraphFolder(golden("graph"), [27, 30], true), built);
    const corrected = readGraphFolder(golden("graph"), [27, 30]);
    const first = Math.min(...corrected.gridToMesh.senders);
    expect(first).toBe(1);
    expect(corrected.gridToMesh.senders.map((sender) => sender - first)).toEqual(built.gridToMesh.senders);
  });

  it("reads a folder of neural-lam's graph storage specification", () => {
    const built = buildMesh([27, 30], { ...flat, compat: "index" });
    expectSame(readGraphFolder(golden("graph_spec"), [27, 30], true), { ...built, levels: scaledLevels(built) });
    expect(() => readGraphFolder(golden("graph_spec"), [27, 31])).toThrow(
      /for 810 grid points, the data have 27×31 = 837/,
    );
    const broken = folder();
    for (const name of readdirSync(golden("graph_spec"))) {
      if (name !== "m2m_features.pt") copyFileSync(join(golden("graph_spec"), name), join(broken, name));
    }
    expect(() => readGraphFolder(broken, [27, 30])).toThrow(/has no m2m_features.pt/);
  });
});

/** Node features divided by their own largest coordinate, as for a file without the grid's. */
function scaledLevels(mesh: Mesh): Mesh["levels"] {
  const largest = Math.max(...mesh.levels.flatMap(({ features }) => [...features]));
  return mesh.levels.map((level) => ({ ...level, features: level.features.map((v) => v / largest) }));
}

describe("meshes of our own", () => {
  it("keep every rule on any grid: all points read and written, distances as they are", () => {
    const sizes = fc.tuple(
      fc.integer({ min: 27, max: 130 }),
      fc.integer({ min: 2, max: 130 }),
      fc.boolean(),
      fc.boolean(),
    );
    fc.assert(
      fc.property(sizes, ([long, short, isTall, hierarchical]) => {
        const shape: [number, number] = isTall ? [long, Math.min(short, long)] : [Math.min(short, long), long];
        const mesh = buildMesh(shape, { hierarchical, maxLevels: null, compat: "none" });
        expect(meshProblems(mesh, { coverage: true })).toEqual([]);
        for (const [i, edges] of mesh.up.entries()) {
          // Up edges are down edges turned round, vector and all.
          const turned = sortedEdges(mesh.down[i]!).map(([low, high, length, dx, dy]) => [
            high,
            low,
            length,
            -dx! + 0,
            -dy! + 0,
          ]);
          const own = sortedEdges(edges).map((row) => row.map((v) => v + 0));
          expect(own).toEqual(turned.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("have square cells on oblong domains", () => {
    const mesh = buildMesh([512, 640], { ...flat, hierarchical: true });
    expect(mesh.levels.map((level) => level.numNodes)).toEqual([65 * 81, 22 * 27, 7 * 9, 2 * 3]);
  });

  it("take fewer levels when asked", () => {
    expect(buildMesh([90, 90], { ...flat, maxLevels: 1 }).same.map(numEdges)).toEqual([5512]);
    expect(buildMesh([90, 90], { ...flat, hierarchical: true, maxLevels: 2 }).levels).toHaveLength(2);
    expect(() => buildMesh([90, 90], { ...flat, hierarchical: true, maxLevels: 1 })).toThrow(/needs two levels/);
  });

  it("need no more than half a second of processor time for 512×512 points", () => {
    buildMesh([64, 64], flat);
    const before = process.cpuUsage().user;
    buildMesh([512, 512], { ...flat, hierarchical: true });
    // Three times the budget: other processes share caches and cores while tests run.
    expect((process.cpuUsage().user - before) / 1e6).toBeLessThan(1.5);
  });

  it("name every broken rule", () => {
    const mesh = buildMesh([27, 27], { ...flat, hierarchical: true });
    const changed = (change: Partial<EdgeSet>): string[] =>
      meshProblems({ ...mesh, gridToMesh: { ...mesh.gridToMesh, ...change } }, { coverage: true });
    const { senders, receivers, features } = mesh.gridToMesh;
    const put = <T extends Int32Array | Float32Array>(values: T, i: number, value: number): T => {
      const copy = values.slice() as T;
      copy[i] = value;
      return copy;
    };
    expect(changed({ senders: put(senders, 5, 729) })).toEqual(["g2m: sender 729 is outside 0 to 728"]);
    expect(changed({ receivers: put(receivers, 5, -1) })[0]).toMatch(/g2m: receiver -1 is outside/);
    expect(changed({ receivers: put(receivers, 5, 80) })[0]).toMatch(/edge \d+ is out of order/);
    expect(changed({ senders: senders.slice(1) })[0]).toMatch(/senders for/);
    expect(changed({ features: put(features, 4, Number.NaN) })).toEqual(["g2m: an edge feature is not finite"]);
    expect(changed({ features: put(features, 0, 9) })[0]).toMatch(/edge 0 has length 9/);
    expect(changed({ senders: senders.map((s) => (s === 0 ? 1 : s)) })).toEqual([
      "1 grid nodes are not read by the mesh",
    ]);
    expect(changed({ numSenders: 10 })).toEqual(["g2m leads from 10 to 81 nodes, expected 729 to 81"]);
    expect(meshProblems({ ...mesh, up: [] })[0]).toMatch(/0 up edge sets for 2 levels/);
    expect(meshProblems({ ...mesh, levels: [] })[0]).toMatch(/no level/);
  });
});

describe("mesh files", () => {
  it("keep everything", () => {
    const path = join(folder(), "mesh.safetensors");
    const mesh = buildMesh([30, 40], { ...flat, hierarchical: true });
    writeMesh(path, mesh);
    expect(readMesh(path)).toEqual(mesh);
  });

  it("are refused when they are something else, damaged, or for another grid or network", () => {
    const dir = folder();
    const path = join(dir, "mesh.safetensors");
    writeMesh(path, buildMesh([30, 40], flat));
    const open = (shape: [number, number], hierarchical = false) =>
      openMesh(shape, { ...source, hierarchical, meshFile: path, folder: null });
    expect(open([30, 40]).gridShape).toEqual([30, 40]);
    expect(() => open([40, 30])).toThrow(/for a grid of 30×40 points, the data have 40×30/);
    expect(() => open([30, 40], true)).toThrow(/the mesh is flat/);
    truncateSync(path, 5000);
    expect(() => open([30, 40])).toThrow(/mesh.safetensors/);
    writeFileSync(path, "nonsense");
    expect(() => readMesh(path)).toThrow(/mesh.safetensors/);
  });

  it("in the cache are made once, and again when they are damaged or foreign", () => {
    const dir = join(folder(), "made", "below");
    const settings = { ...source, folder: dir };
    const mesh = openMesh([30, 40], settings);
    const path = join(dir, meshFileName([30, 40], settings));
    expect(readdirSync(dir)).toEqual([meshFileName([30, 40], settings)]);
    expect(openMesh([30, 40], settings)).toEqual(mesh);
    const whole = readFileSync(path);
    for (const damage of [
      () => truncateSync(path, 1000),
      () => writeFileSync(path, ""),
      () => writeMesh(path, buildMesh([20, 20], flat)),
      () => writeMesh(path, buildMesh([30, 40], { ...flat, hierarchical: true })),
    ]) {
      damage();
      expect(openMesh([30, 40], settings)).toEqual(mesh);
      expect(readFileSync(path).equals(whole)).toBe(true);
    }
    expect(meshFileName([30, 40], { ...flat, compat: "index" })).not.toBe(meshFileName([30, 40], flat));
  });

  it("are not needed: a cache folder that cannot be made stops nothing", () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    expect(openMesh([30, 40], { ...source, folder: join(file, "below") }).gridShape).toEqual([30, 40]);
    expect(existsSync(join(file, "below"))).toBe(false);
  });
});
