import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { dateFeatures } from "../../datasets/forcings.js";
import { gridToJson } from "../../grid/json.js";
import { openPackage } from "../../hub/model-package.js";
import { writePackage } from "../../hub/write-package.js";
import { golden } from "../../io/golden.test-support.js";
import { type ModelType, Network } from "../../models/network.js";
import { networks } from "../../models/registry.js";
import { openSource } from "../../sources/open.js";
import { forecast } from "../forecast.js";
import { every, inventedInfo, inventedSource } from "../invented.test-support.js";
import { openLoop } from "../open-loop.js";
import { npy, onnxFile } from "../package.test-support.js";
import { adding, hour, initial, items, smallGrid } from "../stepper.test-support.js";
import { columnWaterVapour } from "./column-water-vapour.js";
import type { Diagnostic } from "./diagnostic.js";
import { relativeHumidity, relativeHumidityFromDewpoint, vapourPressureDeficit } from "./humidity.js";
import { networkDiagnostic, packageDiagnostic } from "./network-diagnostic.js";
import { listDiagnostics, openDiagnostic } from "./open-diagnostic.js";
import { surfacePressure } from "./surface-pressure.js";
import { windSpeed } from "./wind-speed.js";
import { withDiagnostics } from "./with-diagnostics.js";

/** A diagnostic of single points: one (1, C, 1, 1) input for each row of values. */
async function at(diagnostic: Diagnostic, ...rows: number[][]): Promise<number[][]> {
  const x = torch.tensor(rows).reshape([rows.length, rows[0]!.length, 1, 1]);
  const fields = await diagnostic.apply(
    x,
    rows.map(() => 0),
  );
  expect(fields.shape).toEqual([rows.length, diagnostic.outChannels.length, 1, 1]);
  const values = [...(fields.contiguous().toTypedArray() as Float32Array)];
  return rows.map((_, r) => values.slice(r * diagnostic.outChannels.length, (r + 1) * diagnostic.outChannels.length));
}

const near = (value: number | undefined, expected: number, relative = 2e-5): void =>
  expect(Math.abs(value! / expected - 1)).toBeLessThan(relative);

describe("diagnostics by formula", () => {
  it("wind speed, of levels in pairs of components", async () => {
    const diagnostic = windSpeed([850, "10m"]);
    expect(diagnostic.inChannels.map(({ name }) => name)).toEqual(["u850", "v850", "u10m", "v10m"]);
    expect(diagnostic.outChannels.map(({ name }) => name)).toEqual(["ws850", "ws10m"]);
    expect(await at(diagnostic, [3, 4, -5, 12], [0, -2, 8, 6])).toEqual([
      [5, 13],
      [2, 10],
    ]);
    expect((await at(diagnostic, [Number.NaN, 4, 3, 4]))[0]).toEqual([Number.NaN, 5]);
  });

  it("relative humidity from specific humidity: water, ice and both, within 0 to 100", async () => {
    const diagnostic = relativeHumidity([850, 300]);
    // By hand, in float64.
    const expected = (p: number, t: number, q: number): number => {
      const e = (p * q) / 0.621981 / (1 + q * (1 / 0.621981 - 1));
      const water = 611.21 * Math.exp((17.502 * (t - 273.16)) / (t - 32.19));
      const ice = 611.21 * Math.exp((22.587 * (t - 273.16)) / (t + 0.7));
      const alpha = Math.min(1, Math.max(0, (t - 250.16) / 23)) ** 2;
      return (100 * e) / (alpha * water + (1 - alpha) * ice);
    };
    const [[warm, cold], [mixed, dry]] = (await at(diagnostic, [285, 0.006, 230, 1e-4], [262, 1e-3, 240, 0])) as [
      number[],
      number[],
    ];
    near(warm, expected(85_000, 285, 0.006));
    near(cold, expected(30_000, 230, 1e-4));
    near(mixed, expected(85_000, 262, 1e-3));
    expect(dry).toBe(0);
    expect((await at(relativeHumidity([850]), [270, 0.02]))[0]).toEqual([100]);
    expect(() => relativeHumidity(["2m"])).toThrow(/needs pressure levels, got "2m"/);
  });

  it("relative humidity from the dewpoint: the values of Earth2Studio with its zero, ours with 273.15", async () => {
    const theirs = await at(
      relativeHumidityFromDewpoint({ compat: "earth2studio" }),
      [293.15, 288.15],
      [263.15, 261.15],
    );
    near(theirs[0]![0], 72.950087);
    near(theirs[1]![0], 83.616031);
    const [[ours], [same]] = (await at(relativeHumidityFromDewpoint(), [293.15, 288.15], [280, 280])) as [
      [number],
      [number],
    ];
    near(ours, 100 * Math.exp((17.62 * 15) / 258.12 - (17.62 * 20) / 263.12));
    expect(same).toBe(100);
  });

  it("vapour pressure deficit, surface pressure and column of water vapour have the reference's values", async () => {
    near((await at(vapourPressureDeficit(["2m"]), [298.15, 60]))[0]![0], 10.999968);
    const surface = { levels: [900, 1000], surfaceGeopotential: Float32Array.of(500) };
    const plain = surfacePressure({ ...surface, temperature: false });
    expect(plain.inChannels.map(({ name }) => name)).toEqual(["z1000", "z900"]);
    near((await at(plain, [0, 1000]))[0]![0], 94_868.3298, 1e-6);
    const column = columnWaterVapour([850, 1000]);
    expect(column.inChannels.map(({ name }) => name)).toEqual(["q1000", "q850", "sp"]);
    const [[under], [over], [missing]] = (await at(
      column,
      [0.1, 0.2, 95_000],
      [0.1, 0.2, 100_001],
      [0.1, 0.2, Number.NaN],
    )) as [[number], [number], [number]];
    near(under, 203.942203);
    near(over, 229.445175);
    expect(missing).toBeNaN();
  });

  it("surface pressure: beyond the levels in a straight line, and exact for an atmosphere of constant lapse rate", async () => {
    // T = T0 − 6.5 K/km z: p(z) in closed form. The second-order term takes most of the error of the straight line away.
    const [g, R, L, T0] = [9.8067, 287.053, 6.5e-3, 300];
    const heightOf = (p: number) => (T0 / L) * (1 - (p / 1000) ** ((R * L) / g));
    const levels = [1000, 850, 700, 500];
    const column = [...levels.map((p) => g * heightOf(p)), ...levels.map((p) => T0 - L * heightOf(p))];
    for (const wanted of [980, 930, 760, 600]) {
      const surfaceGeopotential = Float32Array.of(g * heightOf(wanted));
      const made = surfacePressure({ levels, surfaceGeopotential, adjustment: [0, 1] });
      const straight = surfacePressure({ levels, surfaceGeopotential, temperature: false });
      const error = Math.abs((await at(made, column))[0]![0]! - 100 * wanted);
      const without = Math.abs((await at(straight, column.slice(0, 4)))[0]![0]! - 100 * wanted);
      expect(error).toBeLessThan(0.1 * without);
      expect(error).toBeLessThan(15);
    }
    const outside = surfacePressure({
      levels: [1000, 900],
      surfaceGeopotential: Float32Array.of(-500),
      temperature: false,
    });
    near((await at(outside, [0, 1000]))[0]![0], 1e5 * Math.exp(-0.5 * Math.log(0.9)), 1e-6);
    expect(() => surfacePressure({ levels: [1000], surfaceGeopotential: Float32Array.of(0) })).toThrow(/two or more/);
  });

  it("agree with NumPy on random columns, grounds above and below the levels among them", async () => {
    const { levels, cases } = JSON.parse(readFileSync(golden("forecast", "diagnostics.json"), "utf8")) as {
      levels: number[];
      cases: (Record<"z" | "t" | "q" | "r" | "vpd", number[]> & Record<"surface" | "sp" | "line" | "tcwv", number>)[];
    };
    const ofCases = (pick: (one: (typeof cases)[number]) => number[]) => cases.map(pick);
    // All columns as one row of points, so that each has a ground of its own.
    const apply = async (diagnostic: Diagnostic, columns: number[][]) => {
      const channels = columns[0]!.map((_, c) => columns.map((column) => column[c]!));
      const x = torch.tensor(channels).reshape([1, channels.length, 1, columns.length]);
      const fields = await diagnostic.apply(x, [0]);
      return [...(fields.contiguous().toTypedArray() as Float32Array)];
    };
    const surfaceGeopotential = Float32Array.from(cases, (one) => one.surface);
    const options = { levels, surfaceGeopotential };
    const sp = await apply(
      surfacePressure(options),
      ofCases(({ z, t }) => [...z, ...t]),
    );
    const line = await apply(
      surfacePressure({ ...options, temperature: false }),
      ofCases(({ z }) => z),
    );
    const tcwv = await apply(
      columnWaterVapour(levels),
      ofCases(({ q, sp }) => [...q, sp]),
    );
    const pairs = (a: number[], b: number[]) => a.flatMap((value, i) => [value, b[i]!]);
    const r = await apply(
      relativeHumidity(levels),
      ofCases(({ t, q }) => pairs(t, q)),
    );
    const vpd = await apply(
      vapourPressureDeficit(levels),
      ofCases(({ t, r }) => pairs(t, r)),
    );
    for (const [n, one] of cases.entries()) {
      near(sp[n], one.sp, 2e-6);
      near(line[n], one.line, 2e-6);
      near(tcwv[n], one.tcwv);
      for (const i of levels.keys()) {
        near(r[i * cases.length + n], one.r[i]!, 1e-4);
        expect(Math.abs(vpd[i * cases.length + n]! - one.vpd[i]!)).toBeLessThan(2e-4);
      }
    }
    expect(cases.some(({ surface, z }) => surface < z[0]!) && cases.some(({ surface, z }) => surface > z[2]!)).toBe(
      true,
    );
  });

  it("by name, with levels", async () => {
    const context = { grid: smallGrid };
    expect((await openDiagnostic("wind_speed:850,10m", context)).outChannels.map(({ name }) => name)).toEqual([
      "ws850",
      "ws10m",
    ]);
    expect((await openDiagnostic("total_column_water_vapour", context)).inChannels.length).toBe(8);
    const invariant = async (name: string) => new Float32Array(12).fill(name === "z" ? 100 : Number.NaN);
    const pressure = await openDiagnostic("surface_pressure:1000,850", { ...context, invariant });
    expect(pressure.inChannels.map(({ name }) => name)).toEqual(["z1000", "z850", "t1000", "t850"]);
    await expect(openDiagnostic("surface_pressure:1000,850", context)).rejects.toThrow(/geopotential of the surface/);
    await expect(openDiagnostic("wind_sped:850", context)).rejects.toThrow(
      expect.objectContaining({ hint: expect.stringContaining("wind_speed") }),
    );
    await expect(openDiagnostic("wind_speed", context)).rejects.toThrow(/needs its levels/);
    await expect(openDiagnostic("relative_humidity_2m:850", context)).rejects.toThrow(/has no levels/);
    expect(listDiagnostics().length).toBe(6);
  });
});

describe("withDiagnostics", () => {
  const names = ["u10m", "v10m", "tcwv", "msl"];
  const loop = () => adding(1, 6, { names });
  const x = () => initial(2, 4);

  it("appends to the loop's fields or stands for them", async () => {
    for (const concat of [true, false]) {
      using wrapped = withDiagnostics(loop(), [windSpeed(["10m"])], { concat });
      expect(wrapped.outChannelNames).toEqual(concat ? [...names, "ws10m"] : ["ws10m"]);
      expect(wrapped.inChannelNames).toEqual(names);
      const given = await items(wrapped, 3, { time: [0, hour], x: x() });
      const plain = await items(loop(), 3, { time: [0, hour], x: x() });
      const points = 12;
      for (const [i, { values, times }] of given.entries()) {
        expect(times).toEqual([6 * i * hour, 6 * i * hour + hour]);
        const channels = concat ? 5 : 1;
        for (const row of [0, 1]) {
          const fields = plain[i]!.values.slice(row * 4 * points, (row + 1) * 4 * points);
          const all = values.slice(row * channels * points, (row + 1) * channels * points);
          if (concat) expect(all.slice(0, 4 * points)).toEqual(fields);
          for (const n of [0, 7]) near(all.at(n - points), Math.hypot(fields[n]!, fields[points + n]!), 1e-6);
        }
      }
    }
  });

  it("leaves everything else about the loop as it is: history, steps, device, data, restart", async () => {
    let asked: readonly unknown[] = [];
    let freed = 0;
    const described = {
      ...adding(1, 6, { names, onDispose: () => freed++ }),
      nHistoryLevels: 2,
      historyTimeStep: 7200,
      acceptsMissing: true,
      device: "cpu",
      precision: "bf16-mixed",
      notes: ["a note"],
      requireData: (...given: unknown[]) => {
        asked = given;
      },
    };
    const wrapped = withDiagnostics(described, [windSpeed(["10m"])]);
    const { nHistoryLevels, historyTimeStep, timeStep, acceptsMissing, device, precision, grid, notes } = wrapped;
    expect({ nHistoryLevels, historyTimeStep, timeStep, acceptsMissing, device, precision, grid }).toEqual({
      nHistoryLevels: 2,
      historyTimeStep: 7200,
      timeStep: 6 * hour,
      acceptsMissing: true,
      device: "cpu",
      precision: "bf16-mixed",
      grid: smallGrid,
    });
    expect(notes).toEqual(["a note", "diagnostic: wind speed at 10m"]);
    wrapped.requireData?.([1, 2], 3);
    expect(asked).toEqual([[1, 2], 3]);
    wrapped[Symbol.dispose]();
    expect(freed).toBe(1);
    using again = withDiagnostics(loop(), [windSpeed(["10m"])]);
    const whole = await items(again, 4, { x: x() });
    const restarted = await items(again, 2, { restart: whole[2]!.restart });
    expect(restarted.map(({ values }) => values)).toEqual(whole.slice(2).map(({ values }) => values));
  });

  it("lets a later one take what an earlier one gives, and converts units", async () => {
    const units = { t2m: "degC", d2m: "degC" };
    const both = [relativeHumidityFromDewpoint(), vapourPressureDeficit(["2m"])];
    using wrapped = withDiagnostics(adding(0, 6, { names: ["t2m", "d2m"] }), both, { concat: false, units });
    const start = torch.cat([torch.full([1, 1, 1, 3, 4], 25), torch.full([1, 1, 1, 3, 4], 15)], { dim: 2 });
    const { values } = (await items(wrapped, 1, { x: start }))[0]!;
    const [[humidity]] = (await at(both[0]!, [298.15, 288.15])) as [[number]];
    near(values[0], humidity, 1e-6);
    near(values[12], (await at(both[1]!, [298.15, humidity]))[0]![0]!, 1e-6);
  });

  it("says which inputs are lacking, doubled or of other units", () => {
    expect(() => withDiagnostics(loop(), [windSpeed([850])])).toThrow(
      /needs u850, v850, which the model does not give/,
    );
    expect(() => withDiagnostics(adding(0, 6, { names: ["u10m", "v10m", "ws10m"] }), [windSpeed(["10m"])])).toThrow(
      /gives ws10m, which is there already/,
    );
    expect(() => withDiagnostics(loop(), [windSpeed(["10m"])], { units: { u10m: "K" } })).toThrow(
      /takes u10m in "m s-1", the model gives "K"/,
    );
  });

  it("keeps the number of live tensors flat", async () => {
    using wrapped = withDiagnostics(loop(), [windSpeed(["10m"])]);
    const live: number[] = [];
    for await (const { output } of wrapped.run(0, x())) {
      output.dispose();
      live.push(torch.memoryStats().liveTensors);
      if (live.length === 10) break;
    }
    expect(new Set(live.slice(2)).size).toBe(1);
  });
});

/** One output: the sum of the first two inputs plus the last feature (a computed forcing). */
class Sums extends Network {
  static readonly modelName = "sums_inputs";
  static readonly modelType: ModelType = "identity";
  static readonly onnxSupported = false;
  static readonly settings = z.looseObject({});
  override forward(x: Tensor): Tensor {
    if (x.size(-1) !== this.numInputFeatures) throw new Error(`${x.size(-1)} of ${this.numInputFeatures}`);
    const take = (i: number) => x.narrow(-1, i, 1);
    return take(0)
      .add(take(1))
      .add(take(x.size(-1) - 4));
  }
}
networks.register(Sums);

describe("a network as a diagnostic", () => {
  const root = mkdtempSync(join(tmpdir(), "foehn-diagnostic-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const write = (manifest: Record<string, unknown>): string => {
    const folder = mkdtempSync(join(root, "package-"));
    writeFileSync(join(folder, "metadata.json"), JSON.stringify(manifest));
    return folder;
  };
  const manifest = {
    name: "rain",
    architecture: "sums_inputs",
    grid: gridToJson(smallGrid),
    in_channels_names: ["t2m", "msl"],
    out_channels_names: ["tp"],
    normalisation: { means: { t2m: 280, msl: 1e5, tp: 0.5 }, stds: { t2m: 10, msl: 1000, tp: 2 } },
    forcings: { date: true, insolation: false },
    diagnostic: {},
    files: {},
  };

  it("normalises inputs and outputs and knows the valid time of every row", async () => {
    const pkg = await openPackage(write(manifest));
    const diagnostic = await packageDiagnostic(pkg, { grid: smallGrid, precision: "fp32" });
    using wrapped = withDiagnostics(adding(10, 6, { names: ["msl", "t2m"] }), [diagnostic]);
    expect(wrapped.outChannelNames).toEqual(["msl", "t2m", "tp"]);
    const start = torch.cat([torch.full([2, 1, 1, 3, 4], 1.01e5), torch.full([2, 1, 1, 3, 4], 290)], { dim: 2 });
    const times = [0, 5 * hour];
    const given = await items(wrapped, 3, { time: times, x: start });
    for (const [i, { values }] of given.entries()) {
      for (const row of [0, 1]) {
        // One and one standard deviation at the start, then 0.01 and 1 more a step, and sin_hour.
        const normalised = 1 + 0.01 * i + 1 + i + dateFeatures(times[row]! + 6 * i * hour)[0];
        near(values[row * 36 + 24 + 5], 0.5 + 2 * normalised);
      }
    }
    await expect(openLoop(pkg)).rejects.toThrow(/is a diagnostic: it does not step through time/);
    const other = { ...smallGrid, latitudes: Float64Array.of(60, 0, -61) };
    await expect(packageDiagnostic(pkg, { grid: other })).rejects.toThrow(/on another grid/);
  });

  it("comes with a forecast, into its file", async () => {
    const info = inventedInfo();
    const package_ = await writePackage(join(root, "persistence"), {
      ...{ name: "persistence", version: "1.0.0", architecture: "persistence", settings: {}, weights: new Map() },
      ...{ strategy: "diff_ar", numInputSteps: 1, numInterSteps: 1, info, climatology: {}, provenance: {} },
    });
    const rain = write({ ...manifest, grid: gridToJson(info.grid) });
    const source = inventedSource(every(2));
    const output = join(root, "rain.zarr");
    const result = await forecast({ package: package_, source, steps: 2, output, diagnostics: [rain] });
    expect(result.variables).toEqual(["t2m", "msl", "tp"]);
    const written = await openSource(output);
    const time = written.times.at(-1)!;
    const [t2m, msl, tp] = await written.read({ time, variables: ["t2m", "msl", "tp"] });
    for (const n of [0, 5, 23]) {
      const normalised = (t2m!.values[n]! - 280) / 10 + (msl!.values[n]! - 1e5) / 1000 + dateFeatures(time)[0];
      expect(tp!.values[n]).toBeCloseTo(0.5 + 2 * normalised, 3);
    }
    expect(written.variables.find(({ name }) => name === "tp")?.units).toBe("m");
    await written.close();
    const wrong = forecast({
      package: package_,
      source,
      steps: 2,
      output: join(root, "x.zarr"),
      diagnostics: ["wind_speed:850"],
    });
    await expect(wrong).rejects.toThrow(/wind speed at 850 hPa needs u850, v850/);
  });

  it("undoes the logarithm of precipitation", async () => {
    const logarithm = networkDiagnostic({
      description: "rain",
      inChannels: [{ name: "tcwv", units: "kg m-2" }],
      outChannels: [{ name: "tp", units: "m", longName: "Rain" }],
      forward: (x) => x.div(1e-5).log1p(),
      logEpsilon: 1e-5,
    });
    const [[rain], [none]] = (await at(logarithm, [0.004], [0])) as [[number], [number]];
    near(rain, 0.004, 1e-5);
    expect(none).toBe(0);
    const folder = write({ ...manifest, diagnostic: { log_epsilon: 1e-5 } });
    expect((await openPackage(folder)).manifest.diagnostic).toEqual({ log_epsilon: 1e-5 });
  });

  it("runs an ONNX file with the tables of statistics beside it", async () => {
    const folder = write({
      ...{ name: "rain", architecture: "onnx", grid: gridToJson(smallGrid), diagnostic: {} },
      ...{ in_channels_names: ["t2m", "msl"], out_channels_names: ["tp"] },
    });
    const sum = onnxFile({
      inputs: { x: ["b", 2, 3, 4] },
      outputs: { y: ["b", 1, 3, 4] },
      nodes: [["ReduceSum", ["x", "axes"], ["y"]]],
      constants: [{ name: "axes", values: [1], type: "int64" }],
    });
    writeFileSync(join(folder, "model.onnx"), sum);
    writeFileSync(join(folder, "global_means.npy"), npy([280, 1e5]));
    writeFileSync(join(folder, "global_stds.npy"), npy([10, 1000]));
    const diagnostic = await packageDiagnostic(await openPackage(folder), { grid: smallGrid });
    using wrapped = withDiagnostics(adding(10, 6, { names: ["msl", "t2m"] }), [diagnostic]);
    const start = torch.cat([torch.full([2, 1, 1, 3, 4], 1.01e5), torch.full([2, 1, 1, 3, 4], 290)], { dim: 2 });
    const given = await items(wrapped, 2, { time: [0, hour], x: start });
    near(given[0]!.values[24], 2);
    near(given[1]!.values[36 + 24], 3.01);
  });

  it("refuses a package that steps through time, and one that reads forcings", async () => {
    const { diagnostic: _, ...steps } = { ...manifest, out_channels_names: ["t2m", "msl", "tp"] };
    const loops = await openPackage(write(steps));
    await expect(packageDiagnostic(loops, { grid: smallGrid })).rejects.toThrow(/it is no diagnostic/);
    const reads = { ...manifest, forcings: { variables: ["sst"], date: false, insolation: false } };
    const normalisation = {
      means: { ...manifest.normalisation.means, sst: 280 },
      stds: { ...manifest.normalisation.stds, sst: 5 },
    };
    const reading = await openPackage(write({ ...reads, normalisation }));
    await expect(packageDiagnostic(reading, { grid: smallGrid })).rejects.toThrow(/reads forcings \(sst\)/);
    const { diagnostic: __, ...plain } = manifest;
    await expect(openPackage(write(plain))).rejects.toThrow(/must begin with in_channels_names/);
  });
});
