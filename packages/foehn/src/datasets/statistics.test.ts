import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { silentProgress } from "../core/progress.js";
import { regularGrid } from "../grid/grid.js";
import { arraySource } from "../sources/array-source.js";
import type { FeatureStats } from "./dataset.js";
import { noForcing } from "./forcings.js";
import { FrameStore } from "./frames.js";
import { denormalise, FieldMean, normalise, RunningStats } from "./statistics.js";
import { surveyTraining } from "./survey.js";

describe("RunningStats", () => {
  const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
    minLength: 1,
    maxLength: 40,
  });

  it("merges to the same result as one pass", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [one, x, y] = [new RunningStats(), new RunningStats(), new RunningStats()];
        one.add(Float32Array.from([...a, ...b]));
        x.add(Float32Array.from(a));
        y.add(Float32Array.from(b));
        x.merge(y);
        const [p, q] = [one.result(), x.result()];
        const scale = Math.abs(p.max) + Math.abs(p.min) + 1;
        return (
          Math.abs(p.mean - q.mean) < 1e-10 * scale &&
          Math.abs(p.std - q.std) < 1e-6 * scale &&
          p.min === q.min &&
          p.max === q.max
        );
      }),
    );
  });

  it("skips NaN, counts it, and strides", () => {
    const stats = new RunningStats();
    expect(stats.add(Float32Array.of(1, 9, Number.NaN, 9, 3, 9), 2)).toBe(1);
    expect(stats.result()).toEqual({ mean: 2, std: 1, min: 1, max: 3 });
  });

  it("keeps small variance on a large mean", () => {
    const stats = new RunningStats();
    for (let n = 0; n < 1000; n++) stats.add(Float64Array.of(1e9 + (n % 2)));
    expect(stats.result().std).toBeCloseTo(0.5, 8);
  });

  it("gives a constant, and nothing at all, standard deviation 1", () => {
    const stats = new RunningStats();
    expect(stats.result()).toEqual({ mean: 0, std: 1, min: 0, max: 0 });
    stats.add(Float32Array.of(7, 7));
    expect(stats.result()).toEqual({ mean: 7, std: 1, min: 7, max: 7 });
    stats.merge(new RunningStats());
    expect(stats.count).toBe(2);
  });
});

it("FieldMean averages each point over the times it exists", () => {
  const mean = new FieldMean(2);
  mean.add(Float32Array.of(1, Number.NaN));
  mean.add(Float32Array.of(3, Number.NaN));
  expect([...mean.result()]).toEqual([2, Number.NaN]);
  mean.add(Float32Array.of(Number.NaN, 5));
  expect([...mean.result()]).toEqual([2, 5]);
});

it("denormalise undoes normalise", () => {
  const stats: FeatureStats = { mean: 280, std: 20, min: 0, max: 0 };
  expect([...normalise(Float32Array.of(280, 300), stats)]).toEqual([0, 1]);
  expect([...denormalise(Float32Array.of(0, 1), stats)]).toEqual([280, 300]);
});

describe("survey against NumPy", () => {
  const golden: Record<"stats" | "diffStats", Record<string, FeatureStats>> & {
    climatology: Record<string, number[]>;
  } = JSON.parse(readFileSync(new URL("../../../../test/golden/datasets/statistics.json", import.meta.url), "utf8"));
  // The same inputs as test/golden/datasets/make.py.
  const [ny, nx] = [6, 5];
  const features = [
    ["t", 280, 20],
    ["z", 50_000, 0.5],
    ["p", 101_325, 300],
  ] as const;
  const hours = Array.from({ length: 12 }, (_, t) => t).filter((t) => t !== 7);
  const fields = new Map(
    features.map(([name, offset, scale], f) => [
      name as string,
      Float32Array.from({ length: hours.length * ny * nx }, (_, k) => {
        const point = k % (ny * nx);
        const at = BigInt(point + ny * nx * (hours[Math.floor(k / (ny * nx))]! * features.length + f));
        const hashed = (at * 2654435761n) % 2n ** 32n;
        return f === 2 && hashed % 11n === 0n ? Number.NaN : (Number(hashed) / 2 ** 32) * scale + offset;
      }),
    ]),
  );
  const grid = regularGrid({ lat0: 50, dlat: 1, ny, lon0: 0, dlon: 1, nx });
  const times = hours.map((t) => t * 3600);
  const keys = times.map((time) => ({ time }));
  const frames = () =>
    new FrameStore({
      source: arraySource({ grid, times, fields }),
      grid,
      features: ["t", "z", "p"],
      forcing: noForcing,
      onNan: "mask",
      memoryLimit: 1e9,
    });

  it("agrees to 1e-10, across a gap in time and missing points", async () => {
    const survey = await surveyTraining({ frames: frames(), keys, step: 3600, onNan: "mask" });
    for (const [name] of features) {
      for (const key of ["mean", "std", "min", "max"] as const) {
        const unit = golden.stats[name]!.std;
        expect(Math.abs(survey.stats[name]![key] - golden.stats[name]![key])).toBeLessThan(1e-10 * unit);
        expect(survey.diffStats[name]![key]).toBeCloseTo(golden.diffStats[name]![key], 10);
      }
      expect([...survey.climatology[name]!]).toEqual(golden.climatology[name]!.map(Math.fround));
    }
  });

  it("goes on where an interrupted survey was, to the same numbers", async () => {
    const cacheDir = mkdtempSync(join(tmpdir(), "foehn-survey-"));
    const whole = await surveyTraining({ frames: frames(), keys, step: 3600, onNan: "mask" });
    const options = { keys, step: 3600, onNan: "mask", cacheDir, saveEverySeconds: 0 } as const;
    const stopped = frames();
    const raw = stopped.raw.bind(stopped);
    let read = 0;
    stopped.raw = (key) => (++read > 11 + 8 ? Promise.reject(new Error("stop")) : raw(key));
    await expect(surveyTraining({ ...options, frames: stopped })).rejects.toThrow("stop");
    const notes: string[] = [];
    const progress = { ...silentProgress, note: (line: string) => void notes.push(line) };
    const resumed = await surveyTraining({ ...options, frames: frames(), progress });
    expect(notes).toEqual(["statistics go on after 8 of 11 times"]);
    expect(resumed).toEqual(whole);
    expect(readdirSync(cacheDir).filter((name) => name.startsWith("survey"))).toEqual([]);
    rmSync(cacheDir, { recursive: true });
  });

  it("names variables and times of missing values, a few of them", async () => {
    const failing = surveyTraining({ frames: frames(), keys, step: 3600, onNan: "fail" });
    await expect(failing).rejects.toThrow(
      /missing values \(NaN\) in p at 1970-01-01 00:00 \(\d+ points?\), p at 1970-01-01 03:00/,
    );
    await expect(failing).rejects.toThrow(/and more$/);
  });
});
