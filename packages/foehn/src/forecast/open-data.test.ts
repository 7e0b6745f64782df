// The data of a run: files at an address are fetched with the progress that the run shows, and one member or forecast of many is chosen.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { InterruptedError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { regularGrid } from "../grid/grid.js";
import { golden } from "../io/golden.test-support.js";
import { gribMessage } from "../io/grib/write.test-support.js";
import { startServer } from "../io/remote/server.test-support.js";
import { arraySource } from "../sources/array-source.js";
import type { Source } from "../sources/source.js";
import { withData } from "./open-data.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-open-data-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("shows what is fetched, once, and stops when told to", async () => {
  const file = readFileSync(golden("sources/forecast.nc"));
  const server = await startServer({ "/data/forecast.nc": file });
  vi.stubEnv("FOEHN_DATA_CACHE", join(folder, "cache"));
  try {
    const told: string[] = [];
    let arrived = 0;
    const progress: Progress = {
      ...silentProgress,
      start: (label, total) => told.push(`${label} of ${total}`),
      update: (done) => {
        arrived = done;
      },
      finish: () => told.push("finished"),
    };
    const address = `${server.url}/data/forecast.nc`;
    const names = async ({ variables }: Source) => variables.map(({ name }) => name);
    expect(await withData(address, { progress }, names)).toEqual(["z500"]);
    expect(told).toEqual([`fetching forecast.nc of ${file.length}`, "finished"]);
    expect(arrived).toBe(file.length);
    await withData(address, { progress }, names);
    expect(told).toHaveLength(2);
    // Also before an error, which gets a line of its own.
    server.files.set("/data/cut.nc", file);
    server.faults.set("/data/cut.nc", { contentLength: file.length, resetAfter: 100 });
    await expect(withData(`${server.url}/data/cut.nc`, { progress }, names)).rejects.toThrow();
    expect(told.slice(2)).toEqual([`fetching cut.nc of ${file.length}`, "finished"]);
    server.files.set("/data/other.nc", file);
    const stopped = withData(`${server.url}/data/other.nc`, { signal: AbortSignal.abort() }, names);
    await expect(stopped).rejects.toBeInstanceOf(InterruptedError);
  } finally {
    vi.unstubAllEnvs();
    await server.close();
  }
});

it("takes one member, or one forecast, of many", async () => {
  const hour = 3600;
  const start = Date.UTC(2024, 0, 1) / 1000;
  const field = (run: number, member: number) =>
    gribMessage({
      ...{
        shortName: "2t",
        typeOfLevel: "surface",
        level: 0,
        time: run,
        lat0: 90,
        lon0: 0,
        spacing: 45,
        shape: [3, 4],
      },
      values: Float64Array.from({ length: 12 }, () => 270 + 10 * member + (start - run) / hour),
      keys: [
        ["centre", "ecmf"],
        ["productDefinitionTemplateNumber", 1],
        ["shortName", "2t"],
        ["number", member],
        ["numberOfForecastsInEnsemble", 3],
        ["step", (start - run) / hour + 6],
      ],
    });
  const path = join(folder, "members.grib");
  const [now, before] = [start, start - 6 * hour];
  writeFileSync(path, Buffer.concat([now, before].flatMap((run) => [1, 2].map((member) => field(run, member)))));
  const first = async (source: Source) =>
    (await source.read({ time: start + 6 * hour, variables: ["t2m"] }))[0]!.values[0];
  expect(await withData(path, { dataMember: 2, dataRun: before }, first)).toBeCloseTo(296, 4);
  expect(await withData(path, { dataMember: 1, dataRun: now }, first)).toBeCloseTo(280, 4);
  await expect(withData(path, { dataMember: 1 }, first)).rejects.toMatchObject({
    hint: expect.stringContaining("run"),
  });
  await expect(withData(path, { dataRun: now }, first)).rejects.toMatchObject({
    hint: expect.stringContaining("member"),
  });
  const grid = regularGrid({ lat0: 1, dlat: 1, ny: 2, lon0: 0, dlon: 1, nx: 2 });
  const open = arraySource({ grid, times: [0], fields: new Map([["t2m", new Float32Array(4)]]) });
  await expect(withData(open, { dataMember: 1 }, first)).rejects.toThrow(/for data that are opened here/);
});
