import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { parseTime } from "../core/time.js";
import { ShallowWater } from "./shallow-water.js";
import { isSyntheticSpec, openSyntheticSource, syntheticSchema, syntheticSource } from "./synthetic.js";

const degree = (Math.PI * 6_371_008.8) / 180;
const basin = (over: Partial<ConstructorParameters<typeof ShallowWater>[0]> = {}) =>
  new ShallowWater({
    ny: 32,
    nx: 32,
    dy: 1.5 * degree,
    dx: 1.5 * degree * Math.SQRT1_2,
    latitude: 45,
    meanDepth: 250,
    windSpeed: 10,
    seed: 0,
    ...over,
  });
const rms = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0) / x.length);

describe("ShallowWater", () => {
  it("conserves mass to rounding over ten days, with the filter", () => {
    const model = basin();
    const before = model.mass();
    for (let n = 0; n < 240; n++) model.run(3600);
    expect(Math.abs(model.mass() / before - 1)).toBeLessThan(1e-12);
    model.dispose();
  });

  it("conserves energy but for the time scheme: less than 1e-4 a day without the filter", () => {
    const model = basin({ filter: false });
    const before = model.energy();
    for (let n = 0; n < 24; n++) model.run(3600);
    const drift = model.energy() / before - 1;
    expect(Math.abs(drift)).toBeLessThan(1e-4);
    model.dispose();
    // The drift comes from the time step: a quarter of it leaves far less.
    const fine = basin({ filter: false });
    const step = fine.stableStep / 4;
    for (let t = 0; t < 86_400; t += step) fine.run(Math.min(step, 86_400 - t));
    expect(Math.abs(fine.energy() / before - 1)).toBeLessThan(Math.abs(drift) / 20);
    fine.dispose();
  });

  it("loses less than 1 % of energy a day to the filter at the default size", () => {
    const model = basin({ ny: 64, nx: 64, dy: 0.75 * degree, dx: 0.75 * degree * Math.SQRT1_2 });
    for (let n = 0; n < 48; n++) model.run(3600, { damping: true });
    const before = model.energy();
    for (let n = 0; n < 24; n++) model.run(3600);
    const ratio = model.energy() / before;
    expect(ratio).toBeLessThan(1);
    expect(ratio).toBeGreaterThan(0.99);
    model.dispose();
  });

  it("stays at rest when it is at rest", () => {
    const model = basin({ windSpeed: 0 });
    model.run(86_400);
    const { h, u, v } = model.fields();
    expect(rms(u) + rms(v)).toBeLessThan(1e-12);
    expect(rms(h.map((x) => x - 250))).toBeLessThan(1e-9);
    model.dispose();
  });

  it("starts near geostrophic balance: the flow turns slowly, not at the speed of gravity waves", () => {
    const model = basin();
    const before = model.fields();
    expect(Math.hypot(rms(before.u), rms(before.v))).toBeGreaterThan(7);
    model.run(3600);
    const after = model.fields();
    expect(rms(after.u.map((x, i) => x - before.u[i]!))).toBeLessThan(0.25 * rms(before.u));
    model.dispose();
  });

  it("moves gravity waves at sqrt(g depth)", () => {
    // One standing wave along x in a basin so small that rotation does not matter: period 2 L / sqrt(g H).
    const length = 64 * 500;
    const [ny, nx] = [8, 64];
    const h = Float64Array.from(
      { length: ny * nx },
      (_, k) => 250 + 0.01 * Math.cos((Math.PI * ((k % nx) + 0.5)) / nx),
    );
    const initial = { h, u: new Float64Array(ny * (nx - 1)), v: new Float64Array((ny - 1) * nx) };
    const model = basin({ nx, ny, dx: 500, dy: 500, windSpeed: 0, filter: false, initial });
    const period = (2 * length) / Math.sqrt(9.80665 * 250);
    const wave = (h: Float64Array) =>
      h.reduce((sum, x, k) => sum + (x - 250) * Math.cos((Math.PI * ((k % 64) + 0.5)) / 64), 0);
    const start = wave(model.fields().h);
    model.run(period);
    const whole = wave(model.fields().h);
    model.run(period / 2);
    const half = wave(model.fields().h);
    expect(whole / start).toBeGreaterThan(0.95);
    expect(half / start).toBeLessThan(-0.9);
    model.dispose();
  });

  it("does not leak and leaves the engine's generator alone", () => {
    torch.manualSeed(5);
    const expected = torch.rand([1]).item();
    torch.manualSeed(5);
    const before = torch.memoryStats().liveTensors;
    const model = basin();
    const own = torch.memoryStats().liveTensors;
    for (let n = 0; n < 5; n++) model.run(3600, { damping: true });
    model.fields();
    expect(torch.memoryStats().liveTensors).toBe(own);
    model.dispose();
    expect(torch.memoryStats().liveTensors).toBe(before);
    expect(torch.rand([1]).item()).toBe(expected);
  });
});

describe("synthetic source", () => {
  const settings = syntheticSchema.parse({ ny: 16, nx: 20, days: 1, spacing: 1, spin_up_days: 0, seed: 3 });

  it("gives hourly fields, north first, in any order of asking", async () => {
    const source = syntheticSource(settings);
    expect(source.times.length).toBe(24);
    expect(source.grid.shape).toEqual([16, 20]);
    const time = parseTime("2020-01-01T05:00Z");
    const [v, h] = await source.read({ time, variables: ["v", "h"] });
    expect([v!.variable, h!.variable, h!.values.length, h!.time]).toEqual(["v", "h", 320, time]);
    const [first] = await source.read({ time: parseTime("2020-01-01"), variables: ["h"] });
    const again = syntheticSource(settings);
    const both = await Promise.all([
      again.read({ time, variables: ["h"] }),
      again.read({ time: parseTime("2020-01-01"), variables: ["h"] }),
    ]);
    expect(both[0][0]!.values).toEqual(h!.values);
    expect(both[1][0]!.values).toEqual(first!.values);
    expect(first!.values).not.toEqual(h!.values);
    // What is handed out is the reader's own.
    h!.values.fill(0);
    expect((await source.read({ time, variables: ["h"] }))[0]!.values[0]).not.toBe(0);
    await source.close();
    await again.close();
  });

  it("lays the model's southern row at the end: high pressure sits left of the flow, seen downwind, in the north", async () => {
    const source = syntheticSource({ ...settings, ny: 32, nx: 32, spacing: 1.5 });
    const [h, u] = await source.read({ time: source.times[0]!, variables: ["h", "u"] });
    // Geostrophy: u = −(g / f) ∂h/∂y; row i − 1 is north of row i + 1.
    let product = 0;
    for (let i = 1; i < 31; i++)
      for (let j = 1; j < 31; j++)
        product += u!.values[i * 32 + j]! * (h!.values[(i + 1) * 32 + j]! - h!.values[(i - 1) * 32 + j]!);
    expect(product).toBeGreaterThan(0);
    await source.close();
  });

  it("is opened by a text and says what is wrong with it", async () => {
    expect(isSyntheticSpec("synthetic")).toBe(true);
    expect(isSyntheticSpec("synthetic.nc")).toBe(false);
    const source = openSyntheticSource("synthetic:seed=3,days=2,start=2021-06-01");
    expect(source.times.length).toBe(48);
    expect(source.times[0]).toBe(parseTime("2021-06-01"));
    await expect(source.read({ time: source.times[0]! - 1, variables: ["h"] })).rejects.toThrow(/no data for/);
    await expect(source.read({ time: source.times[0]!, variables: ["q"] })).rejects.toThrow(/no variable "q"/);
    await source.close();
    await expect(source.read({ time: source.times[0]!, variables: ["h"] })).rejects.toThrow(/closed/);
    expect(() => openSyntheticSource("synthetic:days=many")).toThrow(/days/);
  });
});
