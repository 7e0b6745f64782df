import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { latLonGrid } from "../../grid/grid.js";
import { arraySource } from "../../sources/array-source.js";
import { crps } from "../ensemble/crps.js";
import { type MetricRow, parseMetricRows } from "../metric-csv.js";
import { scoreLagged } from "./lagged.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-lagged-"));
const step = 43_200;
const grid = latLonGrid([0], [0, 180]);
const dates = Array.from({ length: 8 }, (_, i) => Date.UTC(2018, 0, 1) / 1000 + i * step);
const t2m = Float32Array.from({ length: 16 }, (_, i) => 280 + 3 * Math.sin(1.7 * i) + (i % 3));
const msl = t2m.map((value) => 1000 * value);
const source = arraySource({
  grid,
  times: dates,
  fields: new Map([
    ["t2m", t2m],
    ["msl", msl],
  ]),
});
const state = (i: number, point: number) => t2m[2 * i + point]!;
const rowsOf = (path: string) => parseMetricRows(readFileSync(path, "utf8"), path);
const base = { source, dates, persistence: true, lags: 2, leads: 3, channels: ["t2m"] } as const;

/** The value of a metric, from the members' states: persistence repeats the initial one. */
function expected(i: number, lead: number, metric: string, minLag = -2, maxLag = 2, fair = false): number {
  const lags = Array.from({ length: maxLag - minLag + 1 }, (_, n) => minLag + n).filter(
    (lag) => lead - lag >= 0 && lead - lag <= 3 && i + lag >= 0 && i + lag < dates.length && lead - lag <= dates.length,
  );
  const points = [0, 1].map((p) => {
    const members = lags.map((lag) => state(i + lag, p));
    const [y, mean] = [state(i + lead, p), members.reduce((a, b) => a + b) / members.length];
    switch (metric) {
      case "crps":
        return crps(members, y, { fair });
      case "MSE_mean":
        return (mean - y) ** 2;
      case "variance":
        return members.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (members.length - 1);
      case "MSE_det":
        return (state(i, p) - y) ** 2;
      default:
        return lags.length;
    }
  });
  return (points[0]! + points[1]!) / 2;
}

function check(rows: readonly MetricRow[], minLag = -2, maxLag = 2, fair = false): void {
  for (const { initialTime, leadHours, metric, value } of rows) {
    const wanted = expected(dates.indexOf(initialTime), leadHours / 12, metric, minLag, maxLag, fair);
    if (Number.isNaN(wanted)) expect(value).toBeNaN();
    else expect(value, `${initialTime} ${leadHours} ${metric}`).toBeCloseTo(wanted, 5);
  }
}

describe("foehn lagged", () => {
  it("scores the ensembles that neighbouring dates make", async () => {
    const { path, times } = await scoreLagged({ ...base, output: join(folder, "one") });
    const rows = rowsOf(path);
    expect(times).toBe(8);
    // 5 dates with leads 0 to 3, then 3, 2 and 1 leads; four metrics and the size.
    expect(rows.length).toBe((5 * 4 + 3 + 2 + 1) * 5);
    check(rows);
    expect(rows.filter(({ metric }) => metric === "ensemble_size").every(({ channel }) => channel === "")).toBe(true);
  });

  it("gives the fair CRPS, one-sided lags and all channels", async () => {
    const options = { ...base, lags: [-2, 0], fair: true, channels: undefined } as const;
    const { path, channels } = await scoreLagged({ ...options, output: join(folder, "fair") });
    expect(channels).toEqual(["t2m", "msl"]);
    const rows = rowsOf(path);
    check(
      rows.filter(({ channel }) => channel !== "msl"),
      -2,
      0,
      true,
    );
    for (const { channel, metric, value, ...key } of rows) {
      if (channel !== "msl" || metric !== "MSE_mean") continue;
      const other = rows.find(
        (row) =>
          row.channel === "t2m" &&
          row.metric === metric &&
          row.initialTime === key.initialTime &&
          row.leadHours === key.leadHours,
      )!;
      expect(value / 1e6 - other.value).toBeLessThan(1e-3 * Math.max(1, other.value));
    }
  });

  it("says the same in shards", async () => {
    const whole = readFileSync((await scoreLagged({ ...base, output: join(folder, "whole") })).path, "utf8");
    let parts = "";
    for (const shard of [0, 1, 2]) {
      const { path } = await scoreLagged({ ...base, output: join(folder, "parts"), shard, nShards: 3 });
      expect(path.endsWith(`00${shard}.csv`)).toBe(true);
      parts += readFileSync(path, "utf8");
    }
    expect(parts).toBe(whole);
  });

  it("goes on where it was stopped", async () => {
    const output = join(folder, "stopped");
    const controller = new AbortController();
    const progress = { start() {}, note() {}, finish() {}, update: (n: number) => n === 5 && controller.abort() };
    await expect(
      scoreLagged({ ...base, output, signal: controller.signal, progress: progress as never }),
    ).rejects.toMatchObject({ code: "interrupted" });
    const { path, resumed } = await scoreLagged({ ...base, output });
    expect(resumed).toBe(3);
    const whole = await scoreLagged({ ...base, output: join(folder, "again") });
    expect(readFileSync(path, "utf8")).toBe(readFileSync(whole.path, "utf8"));
    rmSync(output, { recursive: true });
  });

  it("takes forecasts from the disk", async () => {
    for (const name of ["f.zarr", "f.nc"]) {
      const { persistenceOnData } = await import("../../forecast/model-on-data.js");
      const { runForecast } = await import("../../forecast/rollout.js");
      const { fileOutput } = await import("../../forecast/outputs/file-output.js");
      const model = persistenceOnData(source, step, ["t2m"]);
      const forecasts = join(folder, name);
      await runForecast({ ...model, initialTimes: dates, steps: 3, outputs: [fileOutput(forecasts)] });
      const { path } = await scoreLagged({
        source,
        forecasts,
        lags: 2,
        leads: 3,
        output: join(folder, `disk-${name}`),
      });
      check(rowsOf(path));
      expect(rowsOf(path).length).toBe(130);
    }
  });

  it("refuses what makes no sense", async () => {
    const output = join(folder, "bad");
    const { persistence: _, ...nobody } = base;
    await expect(scoreLagged({ ...nobody, output })).rejects.toThrow(/name one of/);
    await expect(scoreLagged({ ...base, package: "x", output })).rejects.toThrow(/name one of/);
    await expect(scoreLagged({ ...base, lags: [1, 2], output })).rejects.toThrow(/do not include 0/);
    await expect(scoreLagged({ ...base, dates: [dates[0]!, dates[1]!, dates[3]!], output })).rejects.toThrow(
      /equally far apart: 2018-01-02T12/,
    );
    await expect(scoreLagged({ ...base, dates: dates.map((t) => t + step), output })).rejects.toThrow(
      /truth lacks 1 of 8 times/,
    );
    await expect(scoreLagged({ ...base, channels: ["t2n"], output })).rejects.toThrow(/t2n/);
  });
});
