import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { main } from "../../cli/main.js";
import { noForcing } from "../../datasets/forcings.js";
import { latLonGrid } from "../../grid/grid.js";
import { gridToJson } from "../../grid/json.js";
import { writePackage } from "../../hub/write-package.js";
import { arraySource } from "../../sources/array-source.js";
import type { Source } from "../../sources/source.js";
import { forecast } from "../forecast.js";
import { every, grid, inventedInfo, inventedSource, points, start, step } from "../invented.test-support.js";
import { explain } from "./explain.js";

const root = mkdtempSync(join(tmpdir(), "foehn-explain-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A source whose fields nobody may read. */
const untouched = (source: Source): Source => ({
  ...source,
  read: async () => {
    throw new Error("a field was read");
  },
});

async function packageOf(name: string, changes: Partial<Parameters<typeof writePackage>[1]> = {}): Promise<string> {
  return writePackage(join(root, name), {
    ...{ name, version: "1.0.0", architecture: "persistence", settings: {}, weights: new Map(), climatology: {} },
    ...{ strategy: "diff_ar", numInputSteps: 2, numInterSteps: 1, info: inventedInfo(), provenance: {} },
    ...changes,
  });
}

const forced = inventedInfo({ ...noForcing, date: true, variables: ["sst"] }, ["t2m", "msl", "tp"], 1);
const withStats = { ...forced, stats: { ...forced.stats, sst: { mean: 290, std: 5, min: 0, max: 0 } } };

describe("explain", () => {
  it("tells fields by role, files, memory and disk of a run that would go well, reading no field", async () => {
    const folder = await packageOf("good", { architecture: "identity", strategy: "scaled_ar", info: withStats });
    const times = every(8, start - step);
    const names = ["t2m", "msl", "sst"];
    const fields = new Map(names.map((name) => [name, new Float32Array(times.length * points)]));
    const source = untouched(arraySource({ grid, times, fields }));
    const border = untouched(
      arraySource({
        grid,
        times: times.filter((_, i) => i % 2 === 1),
        fields: new Map(["t2m", "msl"].map((name) => [name, new Float32Array(4 * points)])),
      }),
    );
    const output = join(root, "good.zarr");
    const found = await explain({
      ...{ verb: "forecast", package: folder, source, borderSource: border, outputs: [output] },
      ...{ dates: [start, start + 2 * step], steps: 4, members: 3, batchSize: 4 },
    });
    expect(found.problems).toEqual([]);
    expect(found.exitCode).toBe(0);
    const at = (...steps: number[]) => steps.map((n) => start + n * step);
    expect(found.fields.map(({ role, variables, times }) => ({ role, variables, times }))).toEqual([
      { role: "initial state", variables: ["t2m", "msl"], times: at(-1, 0, 1, 2) },
      { role: "forcing", variables: ["sst"], times: at(1, 2, 3, 4, 5, 6) },
      { role: "border", variables: ["t2m", "msl"], times: at(1, 2, 3, 4, 5, 6) },
    ]);
    expect(found.model).toMatchObject({
      inChannels: ["t2m", "msl"],
      outChannels: ["t2m", "msl", "tp"],
      computedForcings: ["sin_hour", "cos_hour", "sin_year", "cos_year"],
      stepSeconds: step,
      bytesToFetch: 0,
    });
    expect(found.model.files.map(({ path, isHere }) => [path, isHere])).toEqual([
      ["metadata.json", true],
      ["statics.safetensors", true],
    ]);
    // 2 dates × 3 members × 5 times × 3 variables of float32.
    expect(found.disk).toEqual([{ what: output, bytes: 2 * 3 * 5 * 3 * points * 4, free: expect.any(Number) }]);
    const byName = Object.fromEntries(found.memory.map(({ what, bytes }) => [what, bytes]));
    expect(byName.states).toBe(2 * 4 * (2 * 2 + 3) * points * 4);
    expect(byName["network input"]).toBe(4 * (2 * 2 + withStats.statics.names.length + 5) * points * 4);
    // It is what the run itself asks for.
    expect(found.rows).toBe(4);
    const more = await explain({ verb: "score", package: folder, source, steps: 4, dates: [start] });
    expect(more.problems[0]?.message).toMatch(/no variable "tp"/);
    expect(more.fields.find(({ role }) => role === "truth")?.times).toEqual(at(0, 1, 2, 3, 4));
  });

  it("tells every mismatch at once: variables, units, times, border, diagnostics, outputs", async () => {
    const folder = await packageOf("bad", { architecture: "identity", info: withStats });
    const times = every(3);
    const t2m = new Float32Array(3 * points);
    const source = untouched(arraySource({ grid, times, fields: new Map([["t2m", t2m]]), units: { t2m: "m s-1" } }));
    const taken = join(root, "taken.zarr");
    mkdirSync(taken);
    const options = {
      ...{ package: folder, source, borderSource: inventedSource(times), start, steps: 3 },
      ...{ diagnostics: ["wind_speed:850", "relative_humdity:850"], outputs: [taken, join(root, "x.txt")] },
    };
    const { problems, exitCode } = await explain({ verb: "forecast", ...options });
    const messages = problems.map(({ message }) => message).join("\n");
    expect(messages).toMatch(/wind speed at 850 hPa needs u850, v850/);
    expect(messages).toMatch(/"t2m" is in "m s-1" in the data/);
    expect(messages).toMatch(/no variable "msl"/);
    expect(messages).toMatch(/no variable "sst"/);
    expect(messages).toMatch(/lack 1 of 2 times for the initial state: 2019-02-28T18:00:00Z/);
    expect(messages).toMatch(/lack 1 of 3 times for the forcing: 2019-03-01T18:00:00Z/);
    expect(messages).toMatch(/border data were given, but the model has no use for them/);
    expect(messages).toMatch(/taken.zarr exists already/);
    expect(messages).toMatch(/has the ending ".txt"/);
    expect(problems.length).toBe(10);
    expect(exitCode).toBe(problems[0]!.exitCode);
    // The run itself stops at one of them, and with that exit status.
    await expect(forecast({ ...options, output: taken, borderSource: undefined, diagnostics: [] })).rejects.toThrow();
    const elsewhere = untouched(inventedSource(times));
    const shifted = { ...elsewhere, grid: latLonGrid([74, 24, -26, -76], [...grid.longitudes]) };
    const other = await explain({ verb: "forecast", package: folder, source: shifted, start, steps: 1 });
    expect(other.problems.map(({ message }) => message)).toContain("the data are not on the model's grid");
  });

  it("says that code is not trusted, that a package is wrong, and what cannot be known before", async () => {
    const code = join(root, "code");
    mkdirSync(code);
    const manifest = { entrypoint: { name: "model:load" }, grid: gridToJson(grid) };
    writeFileSync(join(code, "metadata.json"), JSON.stringify(manifest));
    const source = untouched(inventedSource(every(3)));
    const local = await explain({ verb: "forecast", package: code, source, steps: 1 });
    expect(local.problems).toEqual([]);
    expect(local.notes.join()).toMatch(/known only when its code runs/);
    expect(local.model.lines.join("\n")).toMatch(/code of the package would run, model:load/);
    writeFileSync(join(code, "metadata.json"), '{"in_channels_names": ["t2m"],}');
    const wrong = await explain({ verb: "forecast", package: code, source, steps: 1, outputs: [join(root, "y.txt")] });
    expect(wrong.problems.length).toBe(2);
    expect(wrong.exitCode).toBe(2);
    const far = await explain({
      verb: "forecast",
      package: await packageOf("far"),
      source: "https://127.0.0.1:9/era5.nc",
      steps: 1,
    });
    expect(far.problems).toEqual([]);
    expect(far.notes.join()).toMatch(
      /not looked into, because opening would fetch whole files: https:\/\/127.0.0.1:9\/era5.nc/,
    );
    const published = await explain({
      verb: "forecast",
      package: "builtin://pangu_24",
      source,
      steps: 2,
      offline: true,
    });
    expect(published.model).toMatchObject({ stepSeconds: 86_400, name: expect.stringMatching(/pangu/) });
    expect(published.model.inChannels?.length).toBe(69);
    expect(published.model.files.map(({ isHere }) => isHere)).toEqual([false]);
    expect(published.problems.some(({ message }) => /not on the model's grid|no variable/.test(message))).toBe(true);
    // A copy of one's own has the grid of the published model, unless its metadata.json says another.
    for (const [said, shape] of [
      [{}, "721×1440"],
      [{ grid: gridToJson(grid) }, `${grid.shape[0]}×${grid.shape[1]}`],
    ] as const) {
      const copy = join(root, `copy-${shape}`);
      mkdirSync(copy);
      writeFileSync(join(copy, "metadata.json"), JSON.stringify({ entrypoint: { name: "foehn:pangu_24" }, ...said }));
      const own = await explain({ verb: "forecast", package: copy, source, steps: 2 });
      expect(own.model.grid).toContain(shape);
    }
  });

  it("asks a server for metadata.json and nothing else", async () => {
    const folder = await packageOf("remote", { architecture: "halfunet", info: withStats });
    const { readFileSync } = await import("node:fs");
    const manifest = JSON.parse(readFileSync(join(folder, "metadata.json"), "utf8"));
    manifest.weights = "weights.safetensors";
    manifest.files["weights.safetensors"] = { sha256: "0".repeat(64), size: 1_234_567 };
    const text = JSON.stringify(manifest);
    const asked: string[] = [];
    const server: Server = createServer((request, response) => {
      asked.push(request.url!);
      if (request.url !== "/model/metadata.json") response.writeHead(404).end();
      else
        response
          .writeHead(200, { "content-length": Buffer.byteLength(text) })
          .end(request.method === "HEAD" ? "" : text);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    try {
      const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`;
      const source = untouched(inventedSource(every(4)));
      const cache = join(root, "cache");
      const found = await explain({ verb: "forecast", package: uri, source, start: start + step, steps: 1, cache });
      expect(new Set(asked)).toEqual(new Set(["/model/metadata.json"]));
      const statics = found.model.files.find(({ path }) => path === "statics.safetensors")!;
      expect(found.model.files.map(({ path, isHere }) => [path, isHere])).toEqual([
        ["metadata.json", true],
        ["weights.safetensors", false],
        ["statics.safetensors", false],
      ]);
      expect(found.model.bytesToFetch).toBe(1_234_567 + statics.size!);
      expect(found.memory.find(({ what }) => what === "weights")?.bytes).toBe(1_234_567 + statics.size!);
    } finally {
      server.close();
    }
  });
});

describe("foehn forecast --explain", () => {
  const run = async (...argv: string[]) => {
    const [out, err]: [string[], string[]] = [[], []];
    const status = await main(argv, {
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => err.push(text) },
    });
    return { status, out: out.join(""), err: err.join("") };
  };

  it("prints what would be done, ends with 0 or the run's own exit status, and writes nothing", async () => {
    const folder = await packageOf("cli", { numInputSteps: 1 });
    const source = inventedSource(every(3));
    const data = join(root, "data.zarr");
    await forecast({ package: folder, source, start, steps: 2, output: data });
    const output = join(root, "cli.nc");
    const common = ["forecast", folder, "--data", data, "-n", "1", "-o", output, "--explain"];
    const good = await run(...common, "--start", "2019-03-01T06");
    expect(good.err).toBe("");
    expect(good.status).toBe(0);
    expect(good.out).toMatch(/initial state: t2m, msl × 2019-03-01 06:00/);
    expect(good.out).toMatch(/it would run\n$/);
    const bad = await run(...common, "--start", "2020-01-01", "--json");
    expect(bad.status).toBe(1);
    const value = JSON.parse(bad.out);
    expect(value.problems[0]).toMatchObject({ message: expect.stringMatching(/lack 1 of 1 times/), exit_code: 1 });
    expect(value.fields[0].times).toEqual(["2020-01-01T00:00:00Z"]);
    expect(JSON.parse(bad.err).message ?? JSON.parse(bad.err).error?.message).toMatch(/would not run: 1 problem/);
    const score = await run("score", folder, "--data", data, "-n", "1", "--explain");
    expect(score.out).toMatch(/truth: t2m, msl × 3 times/);
    expect(score.status).toBe(0);
    const config = {
      ...{ weather_model: folder, simulation_length: 2, ensemble_members: 5, ensemble_batch_size: 2, data },
      weather_event: {
        properties: { name: "storm", start_time: "2019-03-01T06:00:00" },
        domains: [{ type: "Window", name: "all", diagnostics: [{ type: "raw", channels: ["t2m"] }] }],
      },
      output_path: join(root, "ensemble"),
    };
    const members = await run("ensemble", JSON.stringify(config), "--explain", "--json");
    expect(members.err).toBe("");
    expect(JSON.parse(members.out)).toMatchObject({
      ...{ verb: "ensemble", members: 5, rows: 2, steps: 2, initial_times: ["2019-03-01T06:00:00Z"], exit_code: 0 },
      disk: [{ what: join(root, "ensemble", "ensemble_out_0.nc"), bytes: 5 * 3 * 2 * points * 4 }],
    });
    expect(await run(...common, "--steps", "x")).toMatchObject({ status: 2 });
    const { existsSync } = await import("node:fs");
    expect(existsSync(output)).toBe(false);
  });
});
