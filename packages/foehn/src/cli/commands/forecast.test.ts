// foehn forecast: the guide's commands as they are written, on a small model and small data; what the verb says when it is used wrongly.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileOutput } from "../../forecast/outputs/file-output.js";
import { regularGrid } from "../../grid/grid.js";
import { openNetcdf } from "../../io/netcdf/read.js";
import { openZarr } from "../../io/zarr/read.js";
import { lookupVariable } from "../../variables/catalogue.js";
import { runHere } from "../process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-forecasts-"));
const home = process.cwd();
const guide = fileURLToPath(new URL("../../../../../docs/guides/forecasts.md", import.meta.url));

beforeAll(async () => {
  process.chdir(folder);
  const names = ["t2m", "z500"];
  const grid = regularGrid({ lat0: 90, dlat: 15, ny: 13, lon0: 0, dlon: 15, nx: 24 });
  const start = Date.UTC(2019, 2, 1) / 1000;
  const leadTimes = Array.from({ length: 9 }, (_, i) => i * 21_600);
  const data = fileOutput("era5.zarr");
  const variables = names.map((name) => lookupVariable(name)!);
  await data.open({ variables, grid, initialTimes: [start], members: 1, hasMembers: false, leadTimes, provenance: {} });
  for (const [leadIndex, lead] of leadTimes.entries()) {
    const fields = names.map((_, v) => Float32Array.from({ length: 13 * 24 }, (_, i) => 1000 * v + i + leadIndex));
    await data.write({ initialIndex: 0, memberIndex: 0, leadIndex, validTime: start + lead, fields });
  }
  await data.close();
  mkdirSync("my-model");
  writeFileSync(
    join("my-model", "metadata.json"),
    JSON.stringify({
      architecture: "persistence",
      grid: { kind: "latlon", lat0: 90, dlat: 15, ny: 13, lon0: 0, dlon: 15, nx: 24 },
      in_channels_names: names,
      time_step: "PT6H",
    }),
  );
  writeFileSync("stations.csv", "name,lat,lon\nParis,48.9,2.4\nSuva,-18.1,178.4\n");
});
afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

const commands = [...readFileSync(guide, "utf8").matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap((match) => match[1]!.replaceAll("\\\n", " ").split("\n"))
  .filter((line) => line.startsWith("npx foehn "))
  .map((line) => line.trim().split(/\s+/).slice(2));

describe("docs/guides/forecasts.md", () => {
  it("has commands that run as they are written", async () => {
    expect(commands.length).toBeGreaterThan(10);
    for (const command of commands) {
      const { status, stderr } = await runHere(...command, "--quiet");
      expect(status, `foehn ${command.join(" ")}\n${stderr}`).toBe(0);
    }
    const outputs = commands.map((command) => command[command.indexOf("-o") + 1]!);
    for (const output of outputs) expect(existsSync(output), output).toBe(true);
    expect(readdirSync(".").filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("says the truth about what comes out", async () => {
    const hindcast = (await openZarr("hindcast.zarr")).array("t2m");
    expect(hindcast.dimensions).toEqual(["forecast_reference_time", "ensemble", "lead_time", "lat", "lon"]);
    expect(hindcast.shape).toEqual([3, 4, 5, 13, 24]);
    const whole = [...(await hindcast.read()).data];
    for (const other of ["year.zarr", "long.zarr", "sharded.zarr"]) {
      expect([...(await (await openZarr(other)).array("t2m").read()).data], other).toEqual(whole);
    }
    expect(readdirSync("sharded.zarr/t2m").length).toBe(3 + 1);
    const daily = await openNetcdf("daily.nc");
    expect([...daily.variables.find((variable) => variable.name === "lead_time")!.read()].map(Number)).toEqual([
      24, 48,
    ]);
    daily.close();
  });
});

describe("foehn forecast", () => {
  const base = ["forecast", "my-model", "--data", "era5.zarr", "--steps", "2"];
  it.each([
    [["-o", "x.txt"], 2, /ending ".txt"/],
    [["-o", "x.nc", "--region", "10,20,30"], 2, /--region: "10,20,30" is no region/],
    [["-o", "x.nc", "--region", "10,20,30,40"], 2, /from 30 to 10 °N/],
    [["-o", "x.nc", "--points", "95,10"], 2, /"95,10" is no point/],
    [["-o", "x.nc", "--points", "none.csv"], 1, /none\.csv: no such file/],
    [["-o", "x.nc", "--seed", "4"], 2, /a single forecast is not perturbed/],
    [["-o", "x.zarr", "--shard", "2", "--n-shards", "2"], 2, /no shard 2 of 2/],
    [["-o", "x.zarr", "--chunks", "lead=0"], 2, /--chunks: the axis lead got the size "0"/],
    [["-o", "x.zarr", "--members", "2", "--perturbation", "corelated"], 2, /no perturbation "corelated"/],
    [["-o", "x.grib2", "--compression", "zstd"], 2, /GRIB output cannot be compressed/],
    [["-o", "x.nc", "--variables", "t2"], 2, /no variable "t2"/],
  ])("refuses %j", async (flags, status, message) => {
    const outcome = await runHere(...base, ...flags, "--quiet");
    expect(outcome.stderr).toMatch(message);
    expect(outcome.status).toBe(status);
    expect(readdirSync(".").filter((name) => name.startsWith("x.") || name.startsWith(".x"))).toEqual([]);
  });

  it("says that other shards are to come, and names every output", async () => {
    const flags = ["--members", "2", "--perturbation", "none", "--n-shards", "2", "-o", "a.zarr", "-o", "a.nc"];
    const first = await runHere(...base, ...flags, "--shard", "0", "--quiet");
    expect(first.stdout).toMatch(/this part is finished; the other shards are not/);
    const second = await runHere(...base, ...flags, "--shard", "1", "--quiet", "--json");
    expect(JSON.parse(second.stdout)).toMatchObject({
      members: 2,
      paths: [join(folder, "a.zarr"), join(folder, "a.nc")],
    });
  });

  it("reads points from tables of several kinds, and says the line of what is wrong", async () => {
    writeFileSync("plain.csv", "48.9,2.4\n-18.1,178.4\n");
    writeFileSync("wrong.csv", "name;lat;lon\nParis;48.9;2.4\nNowhere;;3\n");
    const { status } = await runHere(...base, "--points", "plain.csv", "-o", "plain.zarr", "--quiet");
    expect(status).toBe(0);
    expect((await openZarr("plain.zarr")).array("t2m").shape).toEqual([3, 2]);
    const wrong = await runHere(...base, "--points", "wrong.csv", "-o", "x.zarr", "--quiet");
    expect(wrong.stderr).toMatch(/"Nowhere,,3" is no point[\s\S]*wrong\.csv:3/);
  });
});
