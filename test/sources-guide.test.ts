// The commands and source files of docs/guides/sources.md, as they are written, against a local server in place of the example's.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { runHere } from "../packages/foehn/src/cli/process.test-support.js";
import { NetcdfWriter } from "../packages/foehn/src/io/netcdf/write.js";
import { startServer, type TestServer } from "../packages/foehn/src/io/remote/server.test-support.js";
import { ZarrWriter } from "../packages/foehn/src/io/zarr/write.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const guide = readFileSync(join(root, "docs/guides/sources.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "foehn-sources-"));
const home = process.cwd();
const example = "https://data.example.org";
let server: TestServer;

const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1]!);
const commands = blocks("sh")
  .flatMap((block) => block.split("\n"))
  .filter((line) => line.startsWith("npx foehn "));

/** A NetCDF file of one value per variable, at two times of the first of March 2019, on a grid of its own. */
async function netcdf(
  path: string,
  values: Readonly<Record<string, readonly [value: number, units: string]>>,
): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true });
  const writer = await NetcdfWriter.create(path);
  const axes = {
    time: [[18, 24], "hours since 2019-03-01"],
    lat: [[60, 0, -60], "degrees_north"],
    lon: [[0, 90, 180, 270], "degrees_east"],
  } as const;
  for (const [name, [numbers, units]] of Object.entries(axes)) {
    const spec = {
      name,
      dimensions: [name],
      shape: [numbers.length],
      dataType: "float64",
      attributes: { units },
    } as const;
    await writer.writeArray(spec, Float64Array.from(numbers));
  }
  for (const [name, [value, units]] of Object.entries(values)) {
    const spec = {
      name,
      dimensions: ["time", "lat", "lon"],
      shape: [2, 3, 4],
      dataType: "float32",
      attributes: { units },
    } as const;
    await writer.writeArray(spec, new Float32Array(24).fill(value));
  }
  await writer.close();
}

/** Two forecasts of two steps and four members: initial hour · 100 + lead hour · 10 + member. */
async function forecasts(path: string): Promise<void> {
  const writer = await ZarrWriter.create(path);
  const axes = {
    forecast_reference_time: [[0, 6], "hours since 2019-03-01"],
    lead_time: [[0, 6], "hours"],
    number: [[0, 1, 2, 3], "1"],
    lat: [[1, 0], "degrees_north"],
    lon: [[0, 1], "degrees_east"],
  } as const;
  for (const [name, [numbers, units]] of Object.entries(axes)) {
    const spec = {
      name,
      dimensions: [name],
      shape: [numbers.length],
      dataType: "float64",
      attributes: { units },
    } as const;
    await writer.writeArray(spec, Float64Array.from(numbers));
  }
  const values = [0, 6].flatMap((h) =>
    [0, 6].flatMap((l) => [0, 1, 2, 3].flatMap((m) => Array(4).fill(h * 100 + l * 10 + m))),
  );
  const spec = { name: "t2m", dimensions: Object.keys(axes), shape: [2, 2, 4, 2, 2], dataType: "float32" } as const;
  await writer.writeArray(spec, Float32Array.from(values as number[]));
  await writer.close();
}

beforeAll(async () => {
  const stores = join(root, "test/golden/sources/zarr/v3.zarr");
  const files = readdirSync(stores, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  server = await startServer(
    Object.fromEntries(
      files.map((e) => [
        `/era5.zarr/${relative(stores, join(e.parentPath, e.name))}`,
        readFileSync(join(e.parentPath, e.name)),
      ]),
    ),
  );
  server.files.set("/2019-03.nc", readFileSync(join(root, "test/golden/sources/cds2024.nc")));
  vi.stubEnv("FOEHN_DATA_CACHE", join(folder, "cache"));
  await netcdf(join(folder, "archive/a.nc"), { t2m: [280, "K"], z500: [5e4, "m2 s-2"], other: [1, "1"] });
  await netcdf(join(folder, "water.nc"), { TCW: [20, "g m-2"], TLW: [3, "kg m-2"], surface_temperature: [290, "K"] });
  await forecasts(join(folder, "forecast.zarr"));
  writeFileSync(join(folder, "dataset.yaml"), "source: archive\nvariables: { t2m: {}, z500: {} }\nstep: 6h\n");
  for (const text of blocks("yaml")) {
    const name = /^# (\S+)/.exec(text)![1]!;
    writeFileSync(join(folder, name), text.replaceAll(example, server.url));
  }
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(home);
  vi.unstubAllEnvs();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("docs/guides/sources.md", () => {
  const local = commands.filter((line) => line.includes(" dataset ") && !/gs:|convert|member\.yaml/.test(line));
  it.each(local.filter((line) => !/ era5 /.test(line)))("%s", async (line) => {
    const argv = line.replaceAll(example, server.url).split(/\s+/).slice(2);
    const { status, stderr } = await runHere(...argv);
    expect(status, stderr).toBe(0);
  });

  it("joins, falls back and converts as it says", async () => {
    const { stdout, stderr, status } = await runHere("dataset", "inspect", "sources.yaml", "--values", "--json");
    expect(status, stderr).toBe(0);
    const { variables, times, shape } = JSON.parse(stdout) as {
      variables: { name: string; units: string; range: { min: number; max: number } }[];
      times: { count: number };
      shape: number[];
    };
    expect(variables.map((v) => v.name)).toEqual(["t2m", "z500", "tcwv", "lwc", "skt"]);
    // Four times of the store, and the next day of the archive.
    expect([times.count, shape]).toEqual([5, [5, 8]]);
    const by = Object.fromEntries(variables.map((v) => [v.name, v]));
    expect(by.tcwv).toMatchObject({ units: "kg m-2" });
    expect(by.tcwv!.range.max).toBeCloseTo(0.02, 6);
    expect(by.lwc!.range.max).toBe(3000);
    expect(by.skt!.range.min).toBe(290);
    expect(by.z500!.range.min).toBe(494);
  });

  it("chooses a forecast and a member; names verbs and flags that exist", async () => {
    const { stdout } = await runHere("dataset", "inspect", "member.yaml", "--values", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      times: { count: 2 },
      variables: [{ name: "t2m", range: { min: 3, max: 3 } }],
    });
    for (const line of commands) {
      const [, , verb, ...rest] = line.split(/\s+/);
      const help = await runHere(...(verb === "dataset" ? [verb, rest[0]!] : [verb!]), "--help");
      expect(help.status).toBe(0);
      for (const flag of rest.filter((word) => word.startsWith("-"))) {
        expect(help.stdout, line).toMatch(new RegExp(`(^|[ ,])${flag}[ ,]`, "m"));
      }
    }
  });
});
