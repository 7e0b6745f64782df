import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { noForcing } from "../../datasets/forcings.js";
import { buildStatics } from "../../datasets/statics.js";
import { writePackage } from "../../hub/write-package.js";
import { type DummyVariable, dummyField, dummySource } from "../../sources/dummy-source.js";
import { openSource } from "../../sources/open.js";
import type { Source } from "../../sources/source.js";
import { forecast } from "../forecast.js";
import { readHistory, stateReader } from "../initial-state.js";
import { every, grid, inventedInfo, start, step } from "../invented.test-support.js";
import { createPerturbation } from "../perturbations/registry.js";
import { replayLoop } from "../replay-loop.js";
import type { TimeLoop } from "../time-loop.js";
import { type DummyLoop, dummyInference, dummyLoop } from "./dummy-loop.js";
import type { DummyParts } from "./dummy-network.js";

const forcingStats: Record<string, { mean: number; std: number; min: number; max: number }> = {
  sst: { mean: 290, std: 8, min: 0, max: 0 },
  tisr: { mean: 1e6, std: 2e5, min: 0, max: 0 },
};

function described(
  features: string[],
  borderSize: number,
  forcing = { date: true, insolation: true, cos_zenith: true },
) {
  const info = inventedInfo({ variables: ["sst", "tisr"], ...forcing }, features, borderSize);
  const statics = buildStatics(grid, { borderSize, latitude: true, longitude: true });
  return { ...info, statics, stats: { ...info.stats, ...forcingStats } };
}

function sourceOf(info: DummyParts["info"]): Source {
  const names = [...info.features.map(({ name }) => name), ...info.forcing.variables];
  const variables = names.map((name): DummyVariable => ({ name, stats: info.stats[name] }));
  return dummySource({ grid, times: every(14, start - 3 * step), variables });
}

const plain = { strategy: "diff_ar", numInputSteps: 1, numInterSteps: 1 };
// Dates that overlap, and two members of the first.
const starts = [start, start, start + step, start + 4 * step];

/** Runs rows of dates and members. */
async function go(
  loop: DummyLoop,
  source: Source,
  change: (x: torch.Tensor) => torch.Tensor = (x) => x,
): Promise<number> {
  const names = loop.inChannelNames.map((name) => ({ name, units: "1" }));
  const info = source.variables;
  const reader = stateReader(
    source,
    names.map(({ name }) => info.find((variable) => variable.name === name)!),
    grid,
  );
  const x = change(torch.cat(await Promise.all(starts.map((time) => readHistory(reader, time, loop)))));
  loop.requireData?.(starts, 5);
  let items = 0;
  for await (const { output } of loop.run(starts, x)) {
    output.dispose();
    if (items++ === 5) break;
  }
  return loop.checked;
}

describe("dummy fields", () => {
  it("differ by name, time and point, and are what a network may see", () => {
    const msl = { name: "msl", stats: { mean: 1e5, std: 800 } };
    const fields = [dummyField(msl, start, [4, 6]), dummyField(msl, start + step, [4, 6])];
    fields.push(dummyField({ ...msl, name: "sp" }, start, [4, 6]));
    for (const field of fields) expect(field.every((value) => Math.abs(value - 1e5) <= 1200)).toBe(true);
    expect(new Set(fields.flatMap((field) => [...field])).size).toBe(3 * 24);
    expect(dummyField(msl, start, [4, 6])).toEqual(fields[0]);
  });
});

describe("dummyInference: every slot of every network call, with dates and members as rows", () => {
  it.each([
    ["one state", { ...plain, info: described(["t2m", "msl"], 0) }],
    ["a history and a diagnostic variable", { ...plain, numInputSteps: 3, info: described(["t2m", "msl", "tp"], 0) }],
    ["a mask", { ...plain, numInputSteps: 2, maskAsInput: true, info: described(["t2m", "msl"], 0) }],
    ["a border", { ...plain, strategy: "scaled_ar", numInputSteps: 2, info: described(["t2m", "msl"], 1) }],
    ["calls within a step", { ...plain, strategy: "scaled_ar", numInterSteps: 3, info: described(["t2m", "msl"], 1) }],
    [
      "calls within a step as py4cast",
      {
        ...plain,
        strategy: "scaled_ar",
        strategySettings: { compat: "py4cast" },
        numInterSteps: 2,
        info: described(["t2m"], 1),
      },
    ],
  ] as const)("%s", async (_, parts: DummyParts) => {
    const source = sourceOf(parts.info);
    const borderSource = parts.info.borderSize > 0 ? source : undefined;
    using loop = dummyInference(parts, { forcingSource: source, borderSource });
    const { features, statics, forcingNames } = parts.info;
    const prognostic = features.filter(({ role }) => role !== "diagnostic").length;
    const inputs =
      parts.numInputSteps * prognostic + statics.names.length + forcingNames.length + Number(parts.maskAsInput ?? 0);
    const perRow = parts.numInputSteps * prognostic + 5 * (parts.numInterSteps * inputs + features.length);
    expect(await go(loop, source)).toBe(starts.length * perRow);
  });

  it("downscaling, whose steps start from the forcing of the same quantity", async () => {
    const info = inventedInfo({ variables: ["gfs_t2m", "sst"], date: false, insolation: false }, ["t2m"]);
    const stats = { ...info.stats, ...forcingStats, gfs_t2m: { mean: 275, std: 9, min: 0, max: 0 } };
    const parts = { ...plain, strategy: "downscaling_only", info: { ...info, stats } };
    const source = sourceOf(parts.info);
    using loop = dummyInference(parts, { forcingSource: source });
    expect(await go(loop, source)).toBe(starts.length * 5 * (info.statics.names.length + 2 + 1));
  });

  const parts = { ...plain, strategy: "scaled_ar", numInputSteps: 2, info: described(["t2m", "msl"], 1) };

  it("says what is in a wrong slot: forcings of another time, of another variable, a border of another time", async () => {
    const source = sourceOf(parts.info);
    const shifted: Source = {
      ...source,
      read: async (request) => {
        const fields = await source.read({ ...request, time: request.time - step });
        return fields.map((field) => ({ ...field, time: request.time }));
      },
    };
    using late = dummyInference(parts, { forcingSource: shifted, borderSource: source });
    await expect(go(late, source)).rejects.toThrow(/forcing sst: it holds sst of 2019-03-01T00:00:00Z/);
    const swapped: Source = {
      ...source,
      read: async (request) =>
        (await source.read({ ...request, variables: [...request.variables].reverse() })).map((field, i) => ({
          ...field,
          variable: request.variables[i]!,
        })),
    };
    // In the units of another variable it is no field of its own.
    using other = dummyInference(parts, { forcingSource: swapped, borderSource: source });
    await expect(go(other, source)).rejects.toThrow(/forcing sst: .*; forcing tisr: /);
    using border = dummyInference(parts, { forcingSource: source, borderSource: shifted });
    await expect(go(border, source)).rejects.toThrow(
      /slots of the output of row 1 at 2019-03-01T06:00:00Z hold the wrong/,
    );
  });

  it("notices a history in the wrong order, rows and channels that changed places, and a flipped grid", async () => {
    const source = sourceOf(parts.info);
    using loop = dummyInference(parts, { forcingSource: source, borderSource: source });
    const order =
      (dim: number, ...places: number[]) =>
      (x: torch.Tensor) =>
        x.indexSelect(dim, torch.tensor(places, { dtype: "int64" }));
    await expect(go(loop, source, order(1, 1, 0))).rejects.toThrow(/t2m: it holds t2m of 2019-03-01T00:00:00Z/);
    await expect(go(loop, source, order(0, 3, 1, 2, 0))).rejects.toThrow(/row 1 .* it holds t2m of 2019-03-01T18:00/);
    await expect(go(loop, source, order(2, 1, 0))).rejects.toThrow(/t2m: it holds msl of/);
    await expect(go(loop, source, (x) => x.flip([3]))).rejects.toThrow(
      /t2m: it holds no field of those that were read/,
    );
    await expect(go(loop, source, (x) => torch.zerosLike(x))).rejects.toThrow(/t2m: it is 0 everywhere/);
  });
});

describe("the dummy forecast of a package", () => {
  const root = mkdtempSync(join(tmpdir(), "foehn-dummy-"));
  afterAll(() => rmSync(root, { recursive: true }));

  it.each([
    ["with a network", "halfunet"],
    ["without one", "onnx"],
  ])("%s: no weights are read, the file holds what every slot of it spells", async (_, architecture) => {
    const info = { ...inventedInfo({ ...noForcing, date: true, variables: ["sst"] }, ["t2m", "msl", "tp"]) };
    const folder = await writePackage(join(root, architecture), {
      ...{ name: "big", version: "1.0.0", architecture: "persistence", settings: {}, weights: new Map() },
      ...{ strategy: "diff_ar", numInputSteps: 2, numInterSteps: 1, climatology: {}, provenance: {} },
      info: { ...info, stats: { ...info.stats, ...forcingStats } },
    });
    const manifest = JSON.parse(readFileSync(join(folder, "metadata.json"), "utf8"));
    writeFileSync(join(folder, "metadata.json"), JSON.stringify({ ...manifest, architecture, weights: undefined }));
    const output = join(root, `${architecture}.zarr`);
    const dates = [start, start + 2 * step];
    // Three rows a call: a call holds members of both dates.
    const batch = { members: 2, batchSize: 3 };
    const result = await forecast({
      package: folder,
      source: "nowhere",
      dates,
      steps: 3,
      output,
      dummy: true,
      // As the command line has it for members; a dummy forecast leaves it out.
      perturbation: createPerturbation("gaussian"),
      ...batch,
    });
    const inputs = 2 * 2 + info.statics.names.length + 5;
    expect(result.checkedSlots).toBe(2 * 2 * (2 * 2 + (architecture === "onnx" ? 0 : 3 * (inputs + 3))));
    for (const from of dates) {
      const written = await openSource(output, { run: from, member: 1 });
      for (const time of [1, 2, 3].map((n) => from + n * step)) {
        for (const [name, stats] of Object.entries(info.stats)) {
          const [field] = await written.read({ time, variables: [name] });
          const expected = dummyField({ name, stats }, time, grid.shape);
          for (const n of [0, 7, 23]) expect(Math.abs(field!.values[n]! - expected[n]!)).toBeLessThan(2e-3 * stats.std);
        }
      }
      await written.close();
    }
  });
});

describe("loops without a network", () => {
  const info = described(["t2m", "msl", "tp"], 0);
  const values = async (loop: TimeLoop, x: torch.Tensor, restart?: unknown) => {
    const given: { times: readonly number[]; fields: Float32Array; restart: unknown }[] = [];
    for await (const item of loop.run([start, start + 2 * step], x, restart)) {
      const { times, output } = item;
      given.push({ times, fields: output.toTypedArray() as Float32Array, restart: item.restart });
      if (given.length === 3) break;
    }
    return given;
  };

  it("dummyLoop gives the dummy fields of each row's time, and checks what it starts from", async () => {
    const described = { inChannelNames: ["t2m", "msl"], nHistoryLevels: 2, historyTimeStep: step };
    const loop = dummyLoop(info, described);
    const source = sourceOf(info);
    const reader = stateReader(source, source.variables.slice(0, 2), grid);
    const x = torch.cat([await readHistory(reader, start, loop), await readHistory(reader, start + 2 * step, loop)]);
    const given = await values(loop, x);
    expect(loop.checked).toBe(2 * 2 * 2);
    for (const [i, { times, fields }] of given.entries()) {
      for (const [row, time] of times.entries()) {
        for (const [c, { name }] of info.features.entries()) {
          const expected = dummyField({ name, stats: info.stats[name] }, time, grid.shape);
          const field = fields.slice((row * 3 + c) * 24, (row * 3 + c + 1) * 24);
          expect(field).toEqual(i === 0 && name === "tp" ? expected.fill(Number.NaN) : expected);
        }
      }
    }
    expect((await values(loop, x, given[1]!.restart))[1]!.fields).toEqual(given[2]!.fields);
    await expect(values(loop, x.roll([1], { dims: [0] }))).rejects.toThrow(/t2m: it holds t2m of/);
  });

  it("replayLoop repeats the data at every valid time, and is as strict about them as a forecast", async () => {
    const source = sourceOf(info);
    const variables = source.variables.slice(0, 2);
    const loop = replayLoop({ source, variables, stepSeconds: step });
    const reader = stateReader(source, variables, grid);
    const x = torch.cat([await readHistory(reader, start, loop), await readHistory(reader, start + 2 * step, loop)]);
    for (const { times, fields } of await values(loop, x)) {
      const read = await Promise.all(times.map((time) => source.read({ time, variables: ["t2m", "msl"] })));
      expect(fields).toEqual(Float32Array.from(read.flat().flatMap((field) => [...field.values])));
    }
    expect(() => loop.requireData?.([start], 40)).toThrow(/replay lack 30 of 40 valid times/);
    expect(() => replayLoop({ source, variables, stepSeconds: 0 })).toThrow(/does not go forward/);
    const holed = {
      ...source,
      read: async (request: Parameters<Source["read"]>[0]) =>
        (await source.read(request)).map((field) => ({ ...field, values: field.values.fill(Number.NaN, 0, 2) })),
    };
    const broken = replayLoop({ source: holed, variables, stepSeconds: step });
    await expect(values(broken, x)).rejects.toThrow(/has 2 missing values/);
  });
});
